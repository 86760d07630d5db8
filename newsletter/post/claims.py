"""Claiming: taking due deliveries for one carrier, with the consent checked again in the same statement."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter.consent.signups import Signup, State
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.post.deliveries import Delivery, Status
from newsletter.post.letters import Kind, Letter, Priority

MOST = 500  # rows in one claim


class Claimed(NamedTuple):
    """A delivery in a carrier's hands, with all that its parcel is made of."""

    delivery: int
    attempt: int
    variant: int
    address: str
    first_tried_at: datetime
    key_id: str
    newsletter: int
    subscriber: int | None
    signup: int | None
    nonce: int | None
    name: str | None


def claim(session: Session, carrier: int, *, limit: int, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Take up to `limit` (at most 500) due deliveries, the longest due first.

    Whoever left, paused or is not to be written to is withheld in the same statement, so consent is as fresh as the
    claim. Deliveries of an issue that is not sending stay queued. Date and key are fixed at the first claim.
    """
    due = _due(urgent=urgent, limit=min(limit, MOST), now=now)
    take = (
        update(Delivery)
        .where(Delivery.id == due.c.id)
        .values(
            status=case((due.c.permitted, Status.CLAIMED), else_=Status.WITHHELD),
            carrier_id=carrier,
            attempt=Delivery.attempt + 1,
            first_tried_at=func.coalesce(Delivery.first_tried_at, now),
            key_id=func.coalesce(Delivery.key_id, key),
            decided_at=case((due.c.permitted, None), else_=now),
        )
        .returning(Delivery.id, Delivery.status)
    )
    taken = session.execute(take, execution_options={"synchronize_session": False})
    claimed = [delivery for delivery, status in taken if status == Status.CLAIMED]
    return _details(session, claimed)


def _due(*, urgent: bool, limit: int, now: datetime) -> CTE:
    """The deliveries to take, each with whether its reader may be written to."""
    return (
        select(Delivery.id, _permitted(now).label("permitted"))
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Issue, Issue.id == Letter.issue_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Delivery.subscriber_id,
                Subscription.newsletter_id == Letter.newsletter_id,
            ),
        )
        .where(Delivery.status.in_([Status.QUEUED, Status.IN_DOUBT]), Delivery.due_at <= now)
        .where(Delivery.priority == (Priority.URGENT if urgent else Priority.BULK))
        .where(or_(Letter.issue_id.is_(None), Issue.status == IssueStatus.SENDING))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
        .cte("due")
    )


def _permitted(now: datetime) -> ColumnElement[bool]:
    """What each kind of letter needs from its reader (GDPR Art. 7(3): a withdrawal counts from its commit on)."""
    asked = and_(Signup.state == State.ASKED, func.coalesce(Subscriber.suppressed, "") != Reason.NEVER)
    reads = and_(
        Subscription.standing == Standing.SUBSCRIBED,
        Subscriber.suppressed.is_(None),
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= now),
    )
    return case(
        (Letter.kind == Kind.TEST, Delivery.recipient.is_not(None)),
        (Subscriber.address.is_(None), False),
        (Letter.kind == Kind.CONFIRMATION, func.coalesce(asked, False)),
        else_=func.coalesce(reads, False),
    )


def _details(session: Session, claimed: list[int]) -> list[Claimed]:
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Delivery.variant_id,
            func.coalesce(Delivery.recipient, Subscriber.address),
            Delivery.first_tried_at,
            Delivery.key_id,
            Letter.newsletter_id,
            Delivery.subscriber_id,
            Letter.signup_id,
            Signup.nonce,
            Subscriber.name,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.id.in_(claimed))
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [Claimed._make(row) for row in session.execute(rows)]
