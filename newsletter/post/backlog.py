"""The backlog: since when the letter has been owed that waits longest, of each kind."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ScalarSelect, func, or_, select
from sqlalchemy.orm import Session

from newsletter.consent.signups import RECEIVED, VALID, Signup
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.post.deliveries import WAITING, Delivery, stands
from newsletter.post.letters import Letter, Priority


class Backlog(NamedTuple):
    """When the longest waiting of each kind became due; None where nothing waits."""

    signup: datetime | None  # a form that nobody has worked on: a confirmation letter is owed, and not yet written
    urgent: datetime | None
    bulk: datetime | None
    unheard: datetime | None = None  # one that no relay would hear of: it waits for its next try, but is late already

    @property
    def oldest(self) -> datetime | None:
        """When the letter became due that is owed longest, of whatever kind."""
        return min((at for at in self if at), default=None)


_NOT_HELD = or_(Letter.issue_id.is_(None), Issue.status.in_([IssueStatus.SENDING, IssueStatus.CANCELLED]))


def owed(session: Session, *, now: datetime) -> Backlog:
    """What is due and may be claimed, but is in nobody's hands; one statement, whose parts each end at their first row.

    A paused issue's letters are not due, however long ago they were, and neither is a sign-up whose link has expired.
    """
    row = session.execute(
        select(_signup(now), _delivery(Priority.URGENT, now=now), _delivery(Priority.BULK, now=now), _unheard(now))
    ).one()
    return Backlog._make(row)


def _signup(now: datetime) -> ScalarSelect[datetime]:
    """The first in the order of arrival, as they are worked on."""
    waiting = select(Signup.received_at).where(RECEIVED, Signup.received_at <= now, Signup.received_at > now - VALID)
    return waiting.order_by(Signup.id).limit(1).scalar_subquery()


def _delivery(priority: Priority, *, now: datetime) -> ScalarSelect[datetime]:
    """The first in the order in which carriers take them, so by the same index."""
    return (
        select(Delivery.due_at)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .where(stands(*WAITING), Delivery.priority == priority, Delivery.due_at <= now, _NOT_HELD)
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(1)
        .scalar_subquery()
    )


def _unheard(now: datetime) -> ScalarSelect[datetime]:
    """Since when a letter waits that was put off though no relay said so: each such try begins a new wait.

    What a relay put off in its own words, as greylisting does, is not late: it may concern this one reader.
    """
    return (
        select(func.min(Delivery.queued_at))
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .where(stands(*WAITING), Delivery.priority.in_(list(Priority)), Delivery.due_at > now)
        .where(Delivery.deferrals > 0, Delivery.reply_code.is_(None), _NOT_HELD)
        .scalar_subquery()
    )
