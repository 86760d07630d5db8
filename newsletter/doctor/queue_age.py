"""Measure the queue's age: for each kind of letter, when the one that waits longest became due."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, func, or_, select, union_all
from sqlalchemy.orm import Session

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import RECEIVED, Signup
from newsletter.content.issues.issues import Issue
from newsletter.mail.delivery.claim_statement import CLAIMABLE_ISSUES
from newsletter.mail.delivery.deliveries import WAITING, Delivery, has_status, undecided
from newsletter.mail.letters.letters import Letter, Priority


class QueueAge(NamedTuple):
    """When the letter of each kind that waits longest became due; None if none waits."""

    signup: datetime | None  # a received sign-up, whose confirmation letter is not yet written
    urgent: datetime | None
    bulk: datetime | None
    soon: datetime | None = None
    without_reply: datetime | None = None  # deferred without a relay's reply: late, though its next try is not due

    @property
    def oldest(self) -> datetime | None:
        """The earliest of these times."""
        return min((at for at in self if at), default=None)


def measure(session: Session, *, now: datetime) -> QueueAge:
    """Return since when due, unclaimed letters wait: one statement that reads the first row of each kind.

    The letters of a paused issue do not count, nor does a sign-up whose link has expired.
    """
    row = session.execute(
        select(
            _signup(now),
            _to_one_person(Priority.URGENT, now),
            _bulk(now),
            _to_one_person(Priority.SOON, now),
            _without_reply(now),
        )
    ).one()
    return QueueAge._make(row)


def _signup(now: datetime) -> ScalarSelect[datetime]:
    """Select the received sign-up that is processed next: the oldest."""
    waiting = select(Signup.received_at).where(
        RECEIVED, Signup.received_at <= now, Signup.received_at > now - LINK_LIFETIME
    )
    return waiting.order_by(Signup.id).limit(1).scalar_subquery()


def _to_one_person(priority: Priority, now: datetime) -> ScalarSelect[datetime]:
    """Select the letter to one person that is claimed next of a priority, by the index that the claim uses."""
    first = (
        select(Delivery.due_at)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .where(undecided(priority), has_status(*WAITING))
        .where(or_(Delivery.due_at <= now, Delivery.due_at <= Letter.written_at))
        .where(or_(Letter.issue_id.is_(None), Issue.status.in_(CLAIMABLE_ISSUES)))
    )
    return first.order_by(Delivery.due_at, Delivery.id).limit(1).scalar_subquery()


def _bulk(now: datetime) -> ScalarSelect[datetime]:
    """Select the bulk letter due longest: the earliest of the first ones of each issue that may be sent."""
    first = (
        select(Delivery.due_at)
        .where(Delivery.letter_id == Letter.id, undecided(Priority.BULK), has_status(*WAITING))
        .where(or_(Delivery.due_at <= now, Delivery.due_at <= Letter.written_at))
        .order_by(Delivery.due_at, Delivery.id)
        .limit(1)
    )
    return _of_sendable_issues(func.min(first.scalar_subquery()))


def _without_reply(now: datetime) -> ScalarSelect[datetime]:
    """Select since when a letter waits that was deferred without a reply. Each such attempt begins a new wait.

    A letter that a relay deferred with a reply, as in greylisting, is not late: the reason may be its one reader.
    """
    deferred = select(func.min(Delivery.queued_at)).where(
        has_status(*WAITING), Delivery.due_at > now, Delivery.deferrals > 0, Delivery.reply_code.is_(None)
    )
    urgent = deferred.where(undecided(Priority.URGENT)).scalar_subquery()
    soon = deferred.where(undecided(Priority.SOON)).scalar_subquery()
    of_letter = deferred.where(undecided(Priority.BULK), Delivery.letter_id == Letter.id).scalar_subquery()
    bulk = _of_sendable_issues(func.min(of_letter))
    since = union_all(select(urgent.label("at")), select(soon), select(bulk)).subquery()
    return select(func.min(since.c.at)).scalar_subquery()


def _of_sendable_issues(column: ColumnElement[datetime]) -> ScalarSelect[datetime]:
    sendable = select(column).select_from(Letter).join(Issue, Issue.id == Letter.issue_id)
    return sendable.where(Issue.status.in_(CLAIMABLE_ISSUES), Letter.priority == Priority.BULK).scalar_subquery()
