"""Claiming: taking due deliveries for one carrier, with the consent checked again in the same statement."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from newsletter.consent.signups import VALID, Signup, State
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.newsletters import Newsletter
from newsletter.post.deliveries import DEATHS, WAITING, Delivery, Status, stands
from newsletter.post.letters import Kind, Letter, Priority

MOST = 500  # rows in one statement
PATIENCE = 20  # statements that may find nobody to write to before the claim gives up for now


class Claimed(NamedTuple):
    """A delivery in a carrier's hands, with all that its parcel is made of but the letter itself."""

    delivery: int
    attempt: int
    variant: int
    address: str
    first_tried_at: datetime
    key_id: str
    newsletter: int
    sender: str
    return_path_domain: str | None
    zone: str
    subscriber: int | None
    signup: int | None
    nonce: int | None
    asked_at: datetime | None
    name: str | None


def claim(session: Session, carrier: int, *, limit: int, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Take up to `limit` (at most 500) due deliveries, the longest due first; none if nothing is due.

    Whoever left, paused or is not to be written to is withheld in the same statement, so consent is as fresh as the
    claim; what is left of a cancelled issue is cancelled. Deliveries of an issue that is paused stay queued. Date and
    key are fixed at the first claim.
    """
    for _ in range(PATIENCE):
        due = _due(Delivery.deaths < DEATHS, urgent=urgent, limit=min(limit, MOST), now=now)
        taken = _take(session, due, carrier, key=key, now=now)
        if Status.CLAIMED in taken.values() or not taken:
            return _in_hand(session, taken)
    return []


def claim_suspect(session: Session, carrier: int, *, urgent: bool, key: str, now: datetime) -> list[Claimed]:
    """Take one letter that three carriers did not survive. Whoever takes it carries nothing else meanwhile."""
    due = _due(Delivery.deaths >= DEATHS, urgent=urgent, limit=1, now=now)
    return _in_hand(session, _take(session, due, carrier, key=key, now=now))


def _in_hand(session: Session, taken: dict[int, Status]) -> list[Claimed]:
    claimed = [delivery for delivery, status in taken.items() if status is Status.CLAIMED]
    return details(session, Delivery.id.in_(claimed)) if claimed else []


def _take(session: Session, due: CTE, carrier: int, *, key: str, now: datetime) -> dict[int, Status]:
    """What the due deliveries became, by id."""
    take = (
        update(Delivery)
        .where(Delivery.id == due.c.id)
        .values(
            status=due.c.outcome,
            carrier_id=carrier,
            attempt=Delivery.attempt + 1,
            first_tried_at=func.coalesce(Delivery.first_tried_at, now),
            key_id=func.coalesce(Delivery.key_id, key),
            decided_at=case((due.c.outcome == Status.CLAIMED, None), else_=now),
        )
        .returning(Delivery.id, Delivery.status)
    )
    taken = session.execute(take, execution_options={"synchronize_session": False})
    return {row.id: row.status for row in taken}


def _due(*also: ColumnElement[bool], urgent: bool, limit: int, now: datetime) -> CTE:
    """The deliveries to take, each with what it becomes."""
    return (
        select(Delivery.id, _outcome(now).label("outcome"))
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
        .where(stands(*WAITING), Delivery.due_at <= now, *also)
        .where(Delivery.priority == (Priority.URGENT if urgent else Priority.BULK))
        .where(or_(Letter.issue_id.is_(None), Issue.status.in_([IssueStatus.SENDING, IssueStatus.CANCELLED])))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
        .cte("due")
    )


def _outcome(now: datetime) -> ColumnElement[Status]:
    """What becomes of a due delivery: one that may have arrived is never called withheld, for that could be a lie."""
    return case(
        (_permitted(now), Status.CLAIMED),
        (Delivery.doubts > 0, Status.UNKNOWN),
        (Issue.status == IssueStatus.CANCELLED, Status.CANCELLED),
        else_=Status.WITHHELD,
    )


def _permitted(now: datetime) -> ColumnElement[bool]:
    """What each kind of letter needs from its reader (GDPR Art. 7(3): a withdrawal counts from its commit on)."""
    asked = and_(
        Signup.state == State.ASKED,
        Signup.received_at > now - VALID,
        func.coalesce(Subscriber.suppressed, "") != Reason.NEVER,
    )
    reads = and_(
        Subscription.standing == Standing.SUBSCRIBED,
        Subscriber.suppressed.is_(None),
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= now),
    )
    return case(
        (Issue.status == IssueStatus.CANCELLED, False),
        (Letter.kind == Kind.TEST, Delivery.recipient.is_not(None)),
        (Subscriber.address.is_(None), False),
        (Letter.kind == Kind.CONFIRMATION, func.coalesce(asked, False)),
        else_=func.coalesce(reads, False),
    )


def details(session: Session, *which: ColumnElement[bool]) -> list[Claimed]:
    """What the parcels of such deliveries are made of. They were claimed before: that fixed their Date and key."""
    rows = (
        select(
            Delivery.id,
            Delivery.attempt,
            Delivery.variant_id,
            func.coalesce(Delivery.recipient, Subscriber.address),
            Delivery.first_tried_at,
            Delivery.key_id,
            Letter.newsletter_id,
            Newsletter.sender,
            Newsletter.return_path_domain,
            Newsletter.zone,
            Delivery.subscriber_id,
            Letter.signup_id,
            Signup.nonce,
            Signup.received_at,
            Subscriber.name,
        )
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Newsletter, Newsletter.id == Letter.newsletter_id)
        .outerjoin(Signup, Signup.id == Letter.signup_id)
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*which)
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [Claimed._make(row) for row in session.execute(rows)]
