"""Readers who moved while a release before this one wrote an issue's deliveries, and whom none of them reaches.

That release sees the readers as they were when its statement began, and knows of no moves. The delivery of the former
subscriber is withheld, because that one has left, and the present subscriber has none. So they are owed one before the
issue is marked sent. This release hands deliveries over instead (`moved_deliveries`). Remove it one release later, with
the check of doctor.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select
from sqlalchemy.orm import Session, aliased

from newsletter import newsletters
from newsletter.consent.subscribers.moved_subscriptions import MovedSubscription
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import deliveries
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.delivery.moved_deliveries import NOT_ARRIVED
from newsletter.mail.letters.letters import Letter

CLOCKS_DIFFER = timedelta(minutes=5)  # those of two machines, at most


def missed() -> Select[*tuple[Any, ...]]:
    """Return a query for the deliveries in whose place the present subscriber has none: (delivery, letter, present).

    They were withheld because their reader had moved, and the reader gets the newsletter now, and did when the letter
    was written.
    """
    moved = MovedSubscription
    reads = and_(
        Subscription.subscriber_id == moved.subscriber_id,
        Subscription.newsletter_id == moved.newsletter_id,
        Subscription.standing == Standing.SUBSCRIBED,
        Subscription.since <= Letter.written_at,
        or_(Subscription.paused_until.is_(None), Subscription.paused_until <= Letter.written_at),
    )
    withheld = has_status(DeliveryStatus.WITHHELD), Delivery.decided_at >= moved.moved_at
    return (
        select(Delivery.id, Letter, moved.subscriber_id)
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(moved, and_(moved.former_id == Delivery.subscriber_id, moved.newsletter_id == Letter.newsletter_id))
        .join(Subscription, reads)
        .join(Subscriber, Subscriber.id == moved.subscriber_id)
        .where(Letter.issue_id.is_not(None), *withheld, Subscriber.suppressed.is_(None), ~_is_reached())
        .order_by(Delivery.id)
    )


def _is_reached() -> ColumnElement[bool]:
    """The present subscriber has a delivery of the letter, or it may have arrived where they got letters before."""
    moved, own, also = MovedSubscription, aliased(Delivery), aliased(MovedSubscription)
    same = own.letter_id == Delivery.letter_id
    formers = select(also.former_id).where(
        also.subscriber_id == moved.subscriber_id, also.newsletter_id == moved.newsletter_id
    )
    arrived = own.subscriber_id.in_(formers.correlate(moved)) & own.status.not_in(NOT_ARRIVED)
    return or_(exists().where(same, own.subscriber_id == moved.subscriber_id), exists().where(same, arrived))


def _moved_since(session: Session, letter_ids: Collection[int]) -> Collection[int]:
    """Return the former subscribers who moved since the oldest of these letters was written; nearly always nobody.

    The query for the missed ones would read all deliveries: PostgreSQL expects few withheld ones and more moves.
    """
    written_at = session.scalar(select(func.min(Letter.written_at)).where(Letter.id.in_(letter_ids)))
    if written_at is None:
        return []
    since = MovedSubscription.moved_at >= written_at - CLOCKS_DIFFER
    return session.scalars(select(MovedSubscription.former_id).where(since)).all()


def owe(session: Session, letter_ids: Collection[int], *, now: datetime) -> int:
    """Owe these letters to readers whom they missed, if their issues are being sent; return how many are owed.

    Their audience grows by as many, because the withheld deliveries stay. Waits for moves that are under way.
    """
    formers = _moved_since(session, letter_ids)
    if not formers:
        return 0
    found = missed().where(Letter.id.in_(letter_ids), Delivery.subscriber_id.in_(formers))
    letters = [letter for _, letter, _ in session.execute(found)]
    if not letters:
        return 0
    for newsletter_id in sorted({each.newsletter_id for each in letters}):
        newsletters.lock(session, newsletter_id)
    issues = select(Issue.id).where(Issue.id.in_({each.issue_id for each in letters}))
    being_sent = issues.where(Issue.status == IssueStatus.SENDING).order_by(Issue.id).with_for_update(key_share=True)
    sending = set(session.scalars(being_sent))
    rows = [row for row in session.execute(found).all() if row[1].issue_id in sending]
    for number, letter, subscriber_id in rows:
        values = deliveries.initial_values(letter.priority, now)
        same_text = select(Delivery.variant_id).where(Delivery.id == number).scalar_subquery()
        owed = insert(Delivery).values(letter_id=letter.id, subscriber_id=subscriber_id, variant_id=same_text, **values)
        session.execute(owed)
        letter.audience += 1
    session.flush()
    return len(rows)
