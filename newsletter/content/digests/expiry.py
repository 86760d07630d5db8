"""Give the articles of drafts back that nobody approved within the time that their digest names."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.content.digests.digests import Digest, Rule
from newsletter.content.digests.due_runs import GRACE
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.redaction import log_failure
from newsletter.store.database import Begin
from newsletter.store.database_errors import is_unavailable

log = logging.getLogger(__name__)


def deadline(session: Session, issue: Issue) -> datetime | None:
    """Return until when a draft can be approved; None if the issue is no draft, or was drafted by hand."""
    digest = session.get(Digest, issue.digest_id) if issue.digest_id else None
    return _deadline(issue, digest) if digest and issue.status is IssueStatus.DRAFTED else None


def expire_due(reading: Begin, writing: Begin, *, now: datetime) -> None:
    """Cancel every draft whose time is over, each digest in a transaction of its own, and log a warning for each.

    An error in one digest is logged and does not stop the others. Raises if the database is unavailable.
    """
    with reading() as session:
        waiting = select(Issue.digest_id).where(Issue.status == IssueStatus.DRAFTED).distinct()
        digest_ids = [digest_id for digest_id in session.scalars(waiting) if digest_id is not None]
    for digest_id in digest_ids:
        try:
            with reading() as session:  # most drafts have time left, and a write would block others on SQLite
                if not _overdue(session, digest_id, now):
                    continue
            with writing() as session:
                expired = [issue.id for issue in expire(session, digest_id, now=now)]
        except Exception as error:  # an error in one digest must not stop the others
            if is_unavailable(error):
                raise
            log_failure(log, f"the drafts of digest {digest_id} cannot be expired", error)
            continue
        for issue_id in expired:
            log.warning("nobody approved a draft in time; its articles are free", extra={"issue": issue_id})


def expire(session: Session, digest_id: int, *, now: datetime) -> list[Issue]:
    """Cancel a digest's drafts whose time is over; return them. A draft that is approved meanwhile is left alone."""
    expired = []
    overdue = _overdue(session, digest_id, now)
    if overdue:  # lock the newsletter before the issues, as an approval does, so that neither waits for the other
        newsletters.lock(session, overdue[0][0].newsletter_id)
    for issue, digest in overdue:
        hours = Rule.read(digest.rule).approve_within
        reason = f"nobody approved it within {hours} hours; its articles are free for the next issue"
        if transitions.expire(session, issue, reason=reason, actor=audit_log.SCHEDULER, now=now):
            expired.append(issue)
    return expired


def _overdue(session: Session, digest_id: int, now: datetime) -> list[tuple[Issue, Digest]]:
    drafts = select(Issue, Digest).join(Digest, Digest.id == Issue.digest_id)
    drafts = drafts.where(Digest.id == digest_id, Issue.status == IssueStatus.DRAFTED)
    rows = session.execute(drafts.order_by(Issue.id)).all()
    return [(issue, digest) for issue, digest in rows if _deadline(issue, digest) <= now]


def _deadline(issue: Issue, digest: Digest) -> datetime:
    # From the scheduled time, if the draft was punctual: a draft with 24 hours then expires just before the next day's
    # run, whose issue can have its articles, and not some seconds after it.
    was_punctual = issue.drafted_at - issue.run_at <= GRACE
    begun = issue.run_at if was_punctual else issue.drafted_at
    begun = max(begun, issue.due_at or begun)  # an issue that was approved for a later time may be a draft again
    return begun + timedelta(hours=Rule.read(digest.rule).approve_within)
