"""Subscribers, and how each stands with each newsletter: both derived from what the ledger says."""

import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.addresses import Address
from newsletter.store.database import Base, inserted


class Standing(StrEnum):
    """What the ledger says today about one subscriber and one newsletter."""

    ASKED = "asked"  # signed up, not confirmed: no letter but the confirmation
    SUBSCRIBED = "subscribed"
    LEFT = "left"


class Subscriber(Base):
    """One address, met once. The ledger knows it only by `subject`, which is random and survives the address."""

    __tablename__ = "subscribers"
    __table_args__ = {"info": {"personal": {"by": "id", "on_erasure": "unlink", "export": True}}}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject: Mapped[bytes] = mapped_column(
        LargeBinary(16), unique=True, default_factory=lambda: secrets.token_bytes(16)
    )
    address: Mapped[str | None]  # as typed; None once erased
    address_key: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str | None] = mapped_column(String(35), default=None)
    zone: Mapped[str | None] = mapped_column(String(64), default=None)
    # The strongest suppression that fits the address, so that the claim can read it without knowing any key.
    suppressed: Mapped[str | None] = mapped_column(String(24), default=None)
    created_at: Mapped[datetime]


class Subscription(Base):
    """Derived from the ledger, and can be rebuilt from it."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_newsletter_id_standing", "newsletter_id", "standing"),
        {"info": {"personal": {"by": "subscriber_id", "on_erasure": "delete", "export": True}}},
    )

    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    standing: Mapped[Standing]
    cadence: Mapped[str] = mapped_column(String(24), default="every")
    paused_until: Mapped[datetime | None] = mapped_column(default=None)
    since: Mapped[datetime]


def meet(session: Session, address: Address, *, now: datetime) -> Subscriber:
    """The subscriber of this address, made if it was never met; locked until the transaction ends."""
    while (known := by_key(session, address.key) or make(session, address, now=now)) is None:
        pass  # it was made by somebody else since it was looked for
    return known


def make(session: Session, address: Address, *, now: datetime) -> Subscriber | None:
    """A new subscriber, whom nobody else sees before the transaction ends; None if the address was met before."""
    facts = {"address": address.written, "address_key": address.key, "created_at": now}
    return inserted(session, Subscriber, subject=secrets.token_bytes(16), **facts)


def by_key(session: Session, address_key: str) -> Subscriber | None:
    """The subscriber of this address, locked until the transaction ends: one decision about a person at a time."""
    return _locked(session, Subscriber.address_key == address_key)


def by_id(session: Session, number: int) -> Subscriber | None:
    """The subscriber of this number, locked in the same way."""
    return _locked(session, Subscriber.id == number)


def _locked(session: Session, mine: ColumnElement[bool]) -> Subscriber | None:
    # FOR NO KEY UPDATE leaves foreign keys to the row alone: nobody who leaves has to wait until an issue's deliveries
    # are written. What an earlier statement read of the row is read again: it may be older than the lock.
    free = select(Subscriber).where(mine).with_for_update(key_share=True)
    return session.scalar(free.execution_options(populate_existing=True))


def subscriptions(session: Session, subscriber_id: int) -> dict[int, Subscription]:
    """How a subscriber stands, by newsletter id."""
    found = session.scalars(select(Subscription).where(Subscription.subscriber_id == subscriber_id))
    return {subscription.newsletter_id: subscription for subscription in found}


def settle(
    session: Session,
    subscriber_id: int,
    newsletter_id: int,
    standing: Standing,
    *,
    now: datetime,
    is_new: bool = False,
) -> None:
    """Bring the derived row up to what was just appended to the ledger; a new subscriber has none yet."""
    subscription = None if is_new else session.get(Subscription, (subscriber_id, newsletter_id))
    if subscription is None:
        session.add(
            Subscription(subscriber_id=subscriber_id, newsletter_id=newsletter_id, standing=standing, since=now)
        )
    elif subscription.standing != standing:
        subscription.standing, subscription.since = standing, now
    session.flush()


def count(session: Session, newsletter_id: int) -> int:
    """How many readers a newsletter has: confirmed, not left, not silenced."""
    readers = (
        select(func.count())
        .select_from(Subscription)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.newsletter_id == newsletter_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Subscriber.suppressed.is_(None))
    )
    return session.scalar(readers) or 0
