"""Issues as the archive shows them: which, in what order, and when."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import NotFound
from newsletter.languages.translatable import translatable
from newsletter.newsletters import Newsletter

PER_PAGE = 200
# Also issues that are being sent, so that "Read in the browser" works for the first reader.
SHOWN = (IssueStatus.SENDING, IssueStatus.PAUSED, IssueStatus.SENT)


def sent(session: Session, newsletter: Newsletter, *, limit: int, before: int | None = None) -> Sequence[Issue]:
    """Return the newest issues that were sent, newest first, of those with a number below `before`."""
    rows = _of(newsletter).where(Issue.status == IssueStatus.SENT)
    if before is not None:
        rows = rows.where(Issue.number < before)
    return session.scalars(rows.order_by(Issue.number.desc()).limit(limit)).all()


def newest(session: Session, newsletter: Newsletter) -> Issue | None:
    """Return the newest issue that was sent, or None."""
    return next(iter(sent(session, newsletter, limit=1)), None)


def numbered(session: Session, newsletter: Newsletter, number: int) -> Issue:
    """Return an issue that is or was sent. Raises NotFound."""
    issue = session.scalar(_of(newsletter).where(Issue.number == number, Issue.status.in_(SHOWN)))
    if issue is None:
        raise NotFound(
            translatable(
                "There is no issue %(number)s of “%(newsletter)s” in the archive.",
                number=str(number),
                newsletter=newsletter.name,
            )
        )
    return issue


def neighbors(session: Session, newsletter: Newsletter, number: int) -> tuple[Issue | None, Issue | None]:
    """Return the issues sent before and after the one with this number."""
    rows = _of(newsletter).where(Issue.status == IssueStatus.SENT).limit(1)
    before = session.scalar(rows.where(Issue.number < number).order_by(Issue.number.desc()))
    return before, session.scalar(rows.where(Issue.number > number).order_by(Issue.number))


def day(issue: Issue, newsletter: Newsletter) -> datetime:
    """Return when the issue was due, in the newsletter's zone: the date in the archive is the one in its letters."""
    return templating.local(issue.planned_at, newsletter.zone)


def _of(newsletter: Newsletter) -> Select[Issue]:
    return select(Issue).where(Issue.newsletter_id == newsletter.id)
