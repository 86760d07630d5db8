"""The backlog: since when the letter has been owed that waits longest, of each kind."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select, union_all
from sqlalchemy.orm import Session

from newsletter.consent.signups import RECEIVED, VALID, Signup
from newsletter.content.issues import Issue
from newsletter.mail.delivery.claim_statement import CLAIMABLE_ISSUES
from newsletter.mail.delivery.deliveries import WAITING, Delivery, has_status, undecided
from newsletter.mail.letters.letters import Letter, Priority


class QueueAge(NamedTuple):
    """When the longest waiting of each kind became due; None where nothing waits."""

    signup: datetime | None  # a form that nobody has worked on: a confirmation letter is owed, and not yet written
    urgent: datetime | None
    bulk: datetime | None
    unheard: datetime | None = None  # one that no relay would hear of: it waits for its next try, but is late already

    @property
    def oldest(self) -> datetime | None:
        """When the letter became due that is owed longest, of whatever kind."""
        return min((at for at in self if at), default=None)


def owed(session: Session, *, now: datetime) -> QueueAge:
    """What is due and may be claimed, but is in nobody's hands; one statement, whose parts each end at their first row.

    A paused issue's letters are not due, however long ago they were, and neither is a sign-up whose link has expired.
    """
    row = session.execute(select(_signup(now), _urgent(now), _bulk(now), _unheard(now))).one()
    return QueueAge._make(row)


def _signup(now: datetime) -> ScalarSelect[datetime]:
    """The first in the order of arrival, as they are worked on."""
    waiting = select(Signup.received_at).where(RECEIVED, Signup.received_at <= now, Signup.received_at > now - VALID)
    return waiting.order_by(Signup.id).limit(1).scalar_subquery()


def _urgent(now: datetime) -> ScalarSelect[datetime]:
    """The first in the line in which carriers take them, so by the same index."""
    first = (
        select(Delivery.due_at)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .where(undecided(Priority.URGENT), has_status(*WAITING))
        .where(or_(Delivery.due_at <= now, Delivery.due_at <= Letter.written_at))
        .where(or_(Letter.issue_id.is_(None), Issue.status.in_(CLAIMABLE_ISSUES)))
    )
    return first.order_by(Delivery.due_at, Delivery.id).limit(1).scalar_subquery()


def _bulk(now: datetime) -> ScalarSelect[datetime]:
    """The first of the firsts in the lines of the issues that may leave; the others' are not walked."""
    first = (
        select(Delivery.due_at)
        .where(Delivery.letter_id == Letter.id, undecided(Priority.BULK), has_status(*WAITING))
        .where(or_(Delivery.due_at <= now, Delivery.due_at <= Letter.written_at))
        .order_by(Delivery.due_at, Delivery.id)
        .limit(1)
    )
    return _of_those_leaving(func.min(first.scalar_subquery()))


def _unheard(now: datetime) -> ScalarSelect[datetime]:
    """Since when a letter waits that was put off though no relay said so: each such try begins a new wait.

    What a relay put off in its own words, as greylisting does, is not late: it may concern this one reader.
    """
    put_off = select(func.min(Delivery.queued_at)).where(
        has_status(*WAITING), Delivery.due_at > now, Delivery.deferrals > 0, Delivery.reply_code.is_(None)
    )
    urgent = put_off.where(undecided(Priority.URGENT)).scalar_subquery()
    of_letter = put_off.where(undecided(Priority.BULK), Delivery.letter_id == Letter.id).scalar_subquery()
    bulk = _of_those_leaving(func.min(of_letter))
    since = union_all(select(urgent.label("at")), select(bulk)).subquery()
    return select(func.min(since.c.at)).scalar_subquery()


def _of_those_leaving(what: ColumnElement[datetime]) -> ScalarSelect[datetime]:
    leaving = select(what).select_from(Letter).join(Issue, Issue.id == Letter.issue_id)
    return leaving.where(Issue.status.in_(CLAIMABLE_ISSUES), Letter.priority == Priority.BULK).scalar_subquery()
