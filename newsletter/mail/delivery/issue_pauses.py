"""Holds: issues that workers pause because a person has to look, and letters that wait for that person."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import WAITING, Delivery, stands
from newsletter.mail.letters.letters import Letter

log = logging.getLogger(__name__)

# After a resume: a relay in trouble is tried again once a minute, so what was known of it before is stale.
GRACE = timedelta(seconds=90)


def pause(session: Session, number: int, *, reason: str, now: datetime) -> bool:
    """Pause an issue that is leaving, with the reason, which is also logged; whether it was leaving."""
    issue = session.get(Issue, number, with_for_update=True)
    if issue is None or issue.status is not IssueStatus.SENDING:
        return False
    issues.pause(session, issue, actor=audit_log.WORKER, now=now, reason=reason)
    log.warning("an issue is paused: %s", reason, extra={"issue": number})
    return True


def pause_all(session: Session, *, reason: str, now: datetime) -> list[int]:
    """Pause every issue that is leaving, but those that somebody has just resumed; returns which they are."""
    leaving = session.scalars(select(Issue.id).where(Issue.status == IssueStatus.SENDING).order_by(Issue.id)).all()
    return [
        number
        for number in leaving
        if not _was_just_resumed(session, number, now) and pause(session, number, reason=reason, now=now)
    ]


def resume(session: Session, issue: Issue, *, actor: str, now: datetime) -> None:
    """Go on with a paused issue, also with its letters that were refused for good because of us.

    A server that said 5xx is asked again only because a person has mended what it said (RFC 5321 section 4.2.1).
    """
    issues.resume(session, issue, actor=actor, now=now)
    mine = select(Letter.id).where(Letter.issue_id == issue.id)
    held = update(Delivery).where(Delivery.letter_id.in_(mine), stands(*WAITING), Delivery.reply_code >= 500)
    session.execute(held.values(due_at=now, reply_code=None, reply_text=None))


def _was_just_resumed(session: Session, number: int, now: datetime) -> bool:
    resumed = audit_log.last(session, subject=f"issue:{number}", verb="issue resumed")
    # A clock that was set back since says nothing of how long ago it was: then it was not just now.
    return resumed is not None and abs(now - resumed.at) < GRACE
