"""The issues that are not over: drafts, approved ones, and those that are being sent or are paused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from newsletter.audit_log import AuditEntry
from newsletter.content.digests import expiry
from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.delivery_counts import DeliveryProgress
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.newsletters import Newsletter
from newsletter.operators.grants import Grants

OPEN_STATUSES = (IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.PAUSED)
MAX_SHOWN = 50


@dataclass(frozen=True)
class OpenIssue:
    """An issue with what Today says about it."""

    issue: Issue
    newsletter: Newsletter
    articles: int
    progress: DeliveryProgress | None  # None: it has no letters, or nobody has counted them yet
    deadline: datetime | None  # until when a draft can be approved; None: without end

    @property
    def name(self) -> str:
        """The newsletter and, once approved, the issue's number."""
        return f"{self.newsletter.name}{f', issue {self.issue.number}' if self.issue.number else ''}"

    @property
    def leaves_at(self) -> datetime:
        """When it is sent, if it is approved by then."""
        return self.issue.planned_at

    @property
    def sent(self) -> int:
        """The letters that were handed to the relay, as last counted."""
        return self.progress.number(DeliveryStatus.SENT) if self.progress else 0

    @property
    def failed(self) -> int:
        """The letters that failed, as last counted."""
        return self.progress.number(DeliveryStatus.FAILED) if self.progress else 0


def read(session: Session, grants: Grants, newsletters: dict[int, Newsletter]) -> dict[IssueStatus, list[OpenIssue]]:
    """Return the open issues of the operator's newsletters by status, the next to leave first."""
    articles = select(func.count()).where(IssueArticle.issue_id == Issue.id).scalar_subquery()
    of_issue = and_(Letter.issue_id == Issue.id, Letter.kind == LetterKind.ISSUE)
    rows = (
        select(Issue, Digest, DeliveryProgress, articles)
        .outerjoin(Digest, Digest.id == Issue.digest_id)
        .outerjoin(Letter, of_issue)
        .outerjoin(DeliveryProgress, DeliveryProgress.letter_id == Letter.id)
        .where(Issue.status.in_(OPEN_STATUSES), grants.among(Issue.newsletter_id))
        .order_by(Issue.planned_at, Issue.id)
        .limit(MAX_SHOWN)
    )
    found: dict[IssueStatus, list[OpenIssue]] = {status: [] for status in OPEN_STATUSES}
    for issue, _digest, progress, number in session.execute(rows):  # the session keeps the digest for `deadline`
        until = expiry.deadline(session, issue)
        shown = OpenIssue(issue, newsletters[issue.newsletter_id], number, progress, until)
        found[issue.status].append(shown)
    return found


def pause_reasons(session: Session, paused: list[OpenIssue]) -> dict[int, str]:
    """Return why workers paused these issues, in the relay's words; those that a person paused are left out."""
    if not paused:
        return {}
    subjects = {f"issue:{each.issue.id}": each.issue.id for each in paused}
    entries = select(AuditEntry).where(AuditEntry.subject.in_(subjects), AuditEntry.verb == "issue paused")
    reasons: dict[int, Any] = {}
    for entry in session.scalars(entries.order_by(AuditEntry.id)):
        reasons[subjects[entry.subject]] = entry.fields.get("reason")
    return {number: reason for number, reason in reasons.items() if reason}
