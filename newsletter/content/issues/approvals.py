"""Approvals: what is approved, for which time, and how an approval is taken back.

An approval holds for the content that was hashed with it. Whoever changes that content takes the approval back, before
sending begins; afterwards nothing can be changed.
"""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.issues import editions, issues, transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import Malformed, Refused
from newsletter.newsletters import Newsletter

MAX_AHEAD = timedelta(days=366)


class ContentChanged(Refused):
    """The issue is not the one that was looked at, or approved."""

    default = "The issue has changed since you looked at it. Look again."


def approve(
    session: Session, issue: Issue, *, actor: str, now: datetime, sha: str | None = None, due_at: datetime | None = None
) -> None:
    """Approve a drafted issue and assign its number; its articles are not edited any more.

    `sha` is the hash of the content that the approver saw: raises ContentChanged if it is another by now. With
    `due_at` the issue is sent at that time, else at the time that is planned. Raises Refused if it is no draft.
    """
    newsletters.lock(session, issue.newsletter_id)
    session.refresh(issue)
    session.get_one(Newsletter, issue.newsletter_id, populate_existing=True)
    current = issues.content_hash(session, issue)
    if issue.status is IssueStatus.DRAFTED and sha not in (None, current):
        raise ContentChanged
    number = issues.next_number(session, issue.newsletter_id)
    values = {"number": number, "approved_sha": current, "approved_at": now, "actor": actor}
    values |= {"due_at": due_at} if due_at else {}
    facts = {"due_at": due_at.isoformat()} if due_at else {}
    transitions.change_status(session, issue, IssueStatus.APPROVED, values, actor=actor, now=now, facts=facts)


def is_as_approved(session: Session, issue: Issue) -> bool:
    """Whether readers would get what was approved.

    The release before hashed neither languages nor design; what it approved is compared without them.
    """
    shown = issues.edition(session, issue)
    newsletter = session.get_one(Newsletter, issue.newsletter_id)
    return issue.approved_sha in (editions.content_hash(shown, newsletter), editions.former_content_hash(shown))


def schedule(
    session: Session, issue: Issue, *, due_at: datetime, actor: str, now: datetime, sha: str | None = None
) -> None:
    """Approve a draft for a time, or move the time of an approved issue.

    Raises Malformed, naming `due_at`, for a time in the past or more than a year ahead, else as `send_now` does.
    """
    if not now < due_at <= now + MAX_AHEAD:
        raise Malformed("due_at", "Enter a time that is still to come, within a year.")
    _approve_for(session, issue, due_at, actor=actor, now=now, sha=sha)


def send_now(session: Session, issue: Issue, *, actor: str, now: datetime, sha: str | None = None) -> None:
    """Approve a draft, or move the time of an approved issue, so that it is sent at once.

    `sha` is the hash of the content that was shown: raises ContentChanged if it is another by now, also if that one was
    approved meanwhile.
    """
    _approve_for(session, issue, now, actor=actor, now=now, sha=sha)


def unschedule(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Make an approved issue a draft again. Raises Refused if it is not approved or sending has begun."""
    _take_back(session, issue, "unscheduled", reason=None, actor=actor, now=now)


def return_to_draft(session: Session, issue: Issue, *, reason: str, actor: str, now: datetime) -> None:
    """Make an approved issue a draft again, because it is not what was approved any more. Raises Refused likewise."""
    _take_back(session, issue, "returned to draft", reason=reason, actor=actor, now=now)


def renew(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Approve the content that an approved issue, or one without letters, has now, if it is another."""
    if is_as_approved(session, issue):
        return
    values = {"approved_sha": issues.content_hash(session, issue), "approved_at": now, "actor": actor}
    session.execute(update(Issue).where(Issue.id == issue.id).values(**values))
    session.refresh(issue)
    transitions.log_change(session, issue, "approved again", actor=actor, now=now)


def _approve_for(
    session: Session, issue: Issue, due_at: datetime, *, actor: str, now: datetime, sha: str | None
) -> None:
    session.refresh(issue)
    if issue.status is not IssueStatus.APPROVED:
        approve(session, issue, actor=actor, now=now, sha=sha, due_at=due_at)
        return
    if sha not in (None, issues.content_hash(session, issue)):
        raise ContentChanged
    # Perhaps somebody takes the approval back at this moment, and approves something else.
    same = Issue.status == IssueStatus.APPROVED, Issue.approved_sha == issue.approved_sha
    approved = update(Issue).where(Issue.id == issue.id, *same)
    moved = session.scalar(approved.values(due_at=due_at).returning(Issue.id))
    session.refresh(issue)
    if moved is None:
        raise Refused(f"Issue {issue.id} is {issue.status}, so its time cannot be moved.")
    transitions.log_change(session, issue, "time moved", actor=actor, now=now, due_at=due_at.isoformat())


def _take_back(session: Session, issue: Issue, verb: str, *, reason: str | None, actor: str, now: datetime) -> None:
    session.refresh(issue)
    # The time stays, and is not in the past: from it on counts the time in which the draft can be approved again.
    values = {
        "number": None,
        "approved_sha": None,
        "approved_at": None,
        "actor": None,
        "due_at": max(issue.planned_at, now),
    }
    facts = {"reason": reason} if reason else {}
    transitions.change_status(session, issue, IssueStatus.DRAFTED, values, actor=actor, now=now, facts=facts, verb=verb)
