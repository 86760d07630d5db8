"""Tell operators by mail what waits for them: an issue to approve, an issue that was paused, a feed that fails.

What is to be told is found in the database's state, so no use case can forget it, and told once to each operator: the
occasion of a letter is unique. Only operators who can sign in and whose grants allow them to act are told, and nothing
that happened before they were operators.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from jinja2 import TemplateError
from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.content.digests import expiry
from newsletter.content.feeds.feeds import ACTIVE, Feed
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.errors import NewsletterError
from newsletter.mail.letters.letterheads import ServiceLetterhead
from newsletter.mail.letters.letters import Letter
from newsletter.mail.mailings import operator_letters
from newsletter.newsletters import Newsletter
from newsletter.operators import mail_switches
from newsletter.operators.grants import Grant, Grants
from newsletter.operators.identities import Identity
from newsletter.operators.mail_switches import NoticeKind
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.templating import Templates, local

FAILING_FOR = timedelta(days=1)  # after which a feed needs a person
TOLD_WITHIN = timedelta(days=3)  # of an event: later a page tells it, and the letter about it is forgotten after a week
MAX_EVENTS = 1000  # of a kind, looked at in one call
BATCH_SIZE = 25  # letters in one transaction

ROLES = {  # that an operator needs to be told
    NoticeKind.ISSUE_WAITS: Role.PUBLISHER,
    NoticeKind.ISSUE_PAUSED: Role.PUBLISHER,
    NoticeKind.FEED_FAILING: Role.EDITOR,
}
log = logging.getLogger(__name__)


class OperatorEvent(NamedTuple):
    """Something that operators of a newsletter are told once."""

    kind: NoticeKind
    key: str  # unique among all events
    newsletter_id: int
    at: datetime
    row: Issue | Feed
    reason: str = ""  # why an issue was paused


class Recipient(NamedTuple):
    """An operator who may be told something."""

    operator: Operator
    grants: Grants
    wants: set[NoticeKind]

    def is_told(self, event: OperatorEvent) -> bool:
        """Whether they want to know of the event, could act, and were operators when it happened."""
        may_act = self.grants.may(ROLES[event.kind], event.newsletter_id)
        return event.kind in self.wants and may_act and self.operator.created_at <= event.at

    def occasion(self, event: OperatorEvent) -> str:
        """Return the occasion of the letter to them about the event."""
        return f"notice:{event.key}:{self.operator.id}"


def owe_due(
    reading: Begin, writing: Begin, *, letterhead: ServiceLetterhead | None, templates: Templates, now: datetime
) -> int:
    """Owe the notices that are due, at most BATCH_SIZE; return how many. Without a letterhead none is."""
    if letterhead is None:
        return 0
    with reading() as session:  # most calls find nothing, and a write would block others on SQLite
        if not any(True for _ in _due(session, now)):
            return 0
    owed = 0
    with writing() as session:
        for recipient, event in list(islice(_due(session, now), BATCH_SIZE)):
            try:
                operator_letters.owe_notice(
                    session,
                    event.kind,
                    recipient.operator,
                    occasion=recipient.occasion(event),
                    letterhead=letterhead,
                    path=_path(event),
                    context=_context(session, recipient.operator, event),
                    templates=templates,
                    now=now,
                )
                owed += 1
            except (NewsletterError, TemplateError) as error:  # one that cannot be written must not stop the others
                log_failure(log, f"an operator cannot be told of {event.key}", error)
    return owed


def _due(session: Session, now: datetime) -> Iterator[tuple[Recipient, OperatorEvent]]:
    """Yield whom to tell what and has not been told."""
    recipients = _recipients(session)
    if not recipients:
        return
    since = now - TOLD_WITHIN
    for events in (_waiting(session, since), _paused(session, since), _failing(session, since, now)):
        wanted = [(each, event) for event in events for each in recipients if each.is_told(event)]
        told = _told(session, [recipient.occasion(event) for recipient, event in wanted])
        yield from (pair for pair in wanted if pair[0].occasion(pair[1]) not in told)


def _recipients(session: Session) -> list[Recipient]:
    """Return the operators who can sign in: who has not opened the invitation yet is not told anything."""
    has_identity = exists().where(Identity.operator_id == Operator.id)
    operators = session.scalars(
        select(Operator).where(or_(Operator.password_hash.is_not(None), has_identity)).order_by(Operator.id)
    ).all()
    held: dict[int, dict[int | None, Role]] = {operator.id: {} for operator in operators}
    if operators:
        for grant in session.scalars(select(Grant)):
            if grant.operator_id in held:
                held[grant.operator_id][grant.newsletter_id] = grant.role
    return [
        Recipient(operator, _grants(held[operator.id]), wants)
        for operator in operators
        if (wants := mail_switches.switched_on(operator))
    ]


def _grants(held: Mapping[int | None, Role]) -> Grants:
    return Grants(held.get(None), {number: role for number, role in held.items() if number is not None})


def _waiting(session: Session, since: datetime) -> list[OperatorEvent]:
    drafts = select(Issue).where(Issue.status == IssueStatus.DRAFTED, Issue.drafted_at >= since)
    return [
        OperatorEvent(NoticeKind.ISSUE_WAITS, f"waits:{issue.id}", issue.newsletter_id, issue.drafted_at, issue)
        for issue in session.scalars(drafts.order_by(Issue.id).limit(MAX_EVENTS))
    ]


def _paused(session: Session, since: datetime) -> list[OperatorEvent]:
    """Return the issues that a worker has paused. Whoever pauses one knows it."""
    paused = select(Issue).where(Issue.status == IssueStatus.PAUSED).order_by(Issue.id.desc()).limit(MAX_EVENTS)
    issues = {f"issue:{issue.id}": issue for issue in session.scalars(paused)}
    entries = select(AuditEntry).where(AuditEntry.subject.in_(issues), AuditEntry.verb == "issue paused")
    last = {entry.subject: entry for entry in session.scalars(entries.order_by(AuditEntry.id))} if issues else {}
    return [
        OperatorEvent(
            NoticeKind.ISSUE_PAUSED,
            f"pause:{entry.id}",
            issues[subject].newsletter_id,
            entry.at,
            issues[subject],
            reason=entry.fields.get("reason") or "Its reason is unknown; see the log.",
        )
        for subject, entry in last.items()
        if entry.actor == audit_log.WORKER and entry.at >= since
    ]


def _failing(session: Session, since: datetime, now: datetime) -> list[OperatorEvent]:
    began = Feed.failing_since.between(since - FAILING_FOR, now - FAILING_FOR)
    failing = select(Feed).where(ACTIVE, Feed.failures > 0, began).order_by(Feed.id).limit(MAX_EVENTS)
    return [
        OperatorEvent(
            NoticeKind.FEED_FAILING,
            f"feed:{feed.id}:{int(feed.failing_since.timestamp())}",
            feed.newsletter_id,
            feed.failing_since + FAILING_FOR,
            feed,
        )
        for feed in session.scalars(failing)
        if feed.failing_since
    ]


def _told(session: Session, occasions: Iterable[str]) -> set[str]:
    """Return those of the occasions that have a letter."""
    told: set[str] = set()
    remaining = iter(occasions)
    while some := list(islice(remaining, MAX_EVENTS)):
        told |= set(session.scalars(select(Letter.occasion).where(Letter.occasion.in_(some))))
    return told


def _path(event: OperatorEvent) -> str:
    return f"/{'feeds' if isinstance(event.row, Feed) else 'issues'}/{event.row.id}"


def _context(session: Session, operator: Operator, event: OperatorEvent) -> dict[str, Any]:
    """Return what the letter tells, with times in the operator's zone."""
    newsletter = session.get_one(Newsletter, event.newsletter_id)
    zone = operator.zone or newsletter.zone
    told: dict[str, Any] = {"newsletter": newsletter.name}
    if isinstance(event.row, Feed):
        url = without_userinfo(event.row.url)
        since = local(event.at - FAILING_FOR, zone)
        feed = {
            "title": event.row.shown_title or url,
            "url": url,
            "error": event.row.error or "",
            "failing_since": since,
        }
        return told | {"feed": feed}
    issue = event.row
    if event.kind is NoticeKind.ISSUE_PAUSED:
        return told | {
            "issue": {"title": issue.title, "paused_at": local(event.at, zone), "reason": event.reason},
        }
    waits_until = expiry.deadline(session, issue)
    articles = select(func.count()).select_from(IssueArticle).where(IssueArticle.issue_id == issue.id)
    facts: dict[str, Any] = {"title": issue.title, "articles": session.scalar(articles) or 0}
    times = {
        "leaves_at": local(issue.planned_at, zone),
        "waits_until": local(waits_until, zone) if waits_until else None,
    }
    return told | {"issue": facts | times}
