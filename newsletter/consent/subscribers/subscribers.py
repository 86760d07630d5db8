"""Subscribers, and their standing with each newsletter, which is derived from the ledger."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, Table, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from newsletter.languages import tags
from newsletter.newsletters import Newsletter
from newsletter.store import bulk_rows
from newsletter.store.database import Base, is_on_sqlite


class Standing(StrEnum):
    """What the ledger says today about a subscriber and a newsletter."""

    ASKED = "asked"  # signed up but not confirmed: only the confirmation letter is sent
    SUBSCRIBED = "subscribed"
    LEFT = "left"


# PostgreSQL takes the columns of a unique index for a key to which other rows may refer. A change of address would then
# wait until all deliveries of an issue are written, which refer to the subscriber. A partial index is no such key.
KNOWN = text("address_key IS NOT NULL")


class Subscriber(Base):
    """One address. The ledger knows it only by `subject`, which is random and remains when the address is erased."""

    __tablename__ = "subscribers"
    __table_args__ = (
        Index("uq_subscribers_address_key", "address_key", unique=True, sqlite_where=KNOWN, postgresql_where=KNOWN),
        {"info": {"personal": {"by": "id", "on_erasure": "unlink", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject: Mapped[bytes] = mapped_column(
        LargeBinary(16), unique=True, default_factory=lambda: secrets.token_bytes(16)
    )
    address: Mapped[str | None]  # as typed; None once erased
    address_key: Mapped[str | None]
    # MAC of the inbox; None: an earlier release stored the row, and it is not folded yet.
    fold_key: Mapped[str | None] = mapped_column(String(64), index=True, default=None)
    name: Mapped[str | None] = mapped_column(default=None)
    language: Mapped[str | None] = mapped_column(String(tags.MAX_CHARACTERS), default=None)
    zone: Mapped[str | None] = mapped_column(String(64), default=None)
    # The strongest suppression of the address, copied here so that the claim statement needs no key to read it.
    suppressed: Mapped[str | None] = mapped_column(String(24), default=None)
    created_at: Mapped[datetime]


# Literals, or the partial index would not fit. A reader may have come back and left again since.
LEFT_WITH_PROOF = text("standing = 'left' AND (proof_erased_at IS NULL OR proof_erased_at < since)")


class Subscription(Base):
    """A subscriber's standing with a newsletter, derived from the ledger and rebuildable from it."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_newsletter_id_standing", "newsletter_id", "standing"),
        Index(
            "ix_subscriptions_left_with_proof",
            "since",
            sqlite_where=LEFT_WITH_PROOF,
            postgresql_where=LEFT_WITH_PROOF,
        ),
        {"info": {"personal": {"by": "subscriber_id", "on_erasure": "delete", "export": True}}},
    )

    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    standing: Mapped[Standing]
    cadence: Mapped[str] = mapped_column(String(24), default="every")
    paused_until: Mapped[datetime | None] = mapped_column(default=None)
    since: Mapped[datetime]
    proof_erased_at: Mapped[datetime | None] = mapped_column(default=None)  # the evidence about it is erased
    # BCP 47, of the reader's letters and pages; None: the newsletter's, whatever it is today.
    language: Mapped[str | None] = mapped_column(String(tags.MAX_CHARACTERS), default=None)


def reading_language() -> ColumnElement[str]:
    """Return, as a column, the language of a subscription's letters and pages; without one, the newsletter's."""
    return func.coalesce(Subscription.language, Newsletter.language).label("reading_language")


def lock_by_key(session: Session, address_key: str) -> Subscriber | None:
    """Return the subscriber of this address and lock the row until the transaction ends; None if it is unknown.

    The lock allows one decision about a person at a time.
    """
    return lock_one(session, Subscriber.address_key == address_key)


def by_key(session: Session, address_key: str) -> Subscriber | None:
    """Return the subscriber of this address; None if it is unknown."""
    return session.scalar(select(Subscriber).where(Subscriber.address_key == address_key))


def by_id(session: Session, subscriber_id: int) -> Subscriber | None:
    """Return the subscriber of this id; None if it is unknown."""
    return session.get(Subscriber, subscriber_id)


def lock_by_id(session: Session, subscriber_id: int) -> Subscriber | None:
    """Return the subscriber of this id, locked in the same way; None if it is unknown."""
    return lock_one(session, Subscriber.id == subscriber_id)


def lock_inbox(
    session: Session, address_key: str, fold_keys: Collection[str], *, skip_locked: bool = False
) -> list[Subscriber]:
    """Return the subscribers with any spelling of this address's inbox, locked in the same way.

    `fold_keys` are the inbox's folds. Rows are locked in the order of addresses, so that two transactions never wait
    for each other; one that has locked a person before passes `skip_locked`, and gets no row that another one holds.
    """
    spellings = select(Subscriber).where(or_(Subscriber.address_key == address_key, Subscriber.fold_key.in_(fold_keys)))
    locked = spellings.order_by(Subscriber.address_key).with_for_update(key_share=True, skip_locked=skip_locked)
    return list(session.scalars(locked.execution_options(populate_existing=True)))


def lock_one(session: Session, condition: ColumnElement[bool]) -> Subscriber | None:
    """Return the subscriber that meets a condition, locked in the same way; None if there is none."""
    # FOR NO KEY UPDATE does not conflict with inserts that reference the row, so a reader who leaves never waits until
    # an issue's deliveries are written. populate_existing: the session may hold values that are older than the lock.
    statement = select(Subscriber).where(condition).with_for_update(key_share=True)
    return session.scalar(statement.execution_options(populate_existing=True))


class KnownSubscriber(NamedTuple):
    """A subscriber whose row this transaction has locked or created."""

    id: int
    subject: bytes


def lock_all(session: Session, address_keys: Collection[str]) -> dict[str, KnownSubscriber]:
    """Lock the subscribers of these addresses as `lock_by_key` does; return those that are known, by address.

    Rows are locked in the order of addresses, as everywhere, so that two transactions cannot wait for each other.
    """
    known = select(Subscriber.address_key, Subscriber.id, Subscriber.subject).where(
        Subscriber.address_key.in_(address_keys)
    )
    locked = session.execute(known.order_by(Subscriber.address_key).with_for_update(key_share=True))
    return {row[0]: KnownSubscriber(row[1], row[2]) for row in locked if row[0]}


def create_all(session: Session, rows: Collection[Mapping[str, Any]]) -> dict[str, int]:
    """Insert subscribers, in the order of their addresses, unless an address is known; return the new ids by address.

    If another transaction inserts one of these addresses at the same time, this one waits for it.
    """
    statement = _insert_subscribers(on_sqlite=is_on_sqlite(session))
    in_order = sorted(rows, key=lambda row: row["address_key"])
    inserted = session.execute(statement, {bulk_rows.INSERTED: bulk_rows.encode(in_order)})
    return {address_key: number for number, address_key in inserted if address_key}


@cache
def _insert_subscribers(*, on_sqlite: bool) -> ReturningInsert[int, str | None]:
    table = cast("Table", Subscriber.__table__)
    columns = ("subject", "address", "address_key", "fold_key", "suppressed", "created_at")
    statement = bulk_rows.insert(table, *columns, on_sqlite=on_sqlite).on_conflict_do_nothing()
    return statement.returning(table.c.id, table.c.address_key)


def ask_all(session: Session, languages: Mapping[tuple[int, int], str | None], *, now: datetime) -> None:
    """Set the standing of each subscriber and newsletter to ASKED after the entries were appended.

    `languages` are the readers', by subscriber and newsletter; None leaves it to the newsletter.
    """
    rows = [
        {
            "subscriber_id": subscriber,
            "newsletter_id": newsletter,
            "standing": "asked",
            "cadence": "every",
            "since": now,
            "language": language,
        }
        for (subscriber, newsletter), language in languages.items()
    ]
    statement = _upsert_subscriptions(on_sqlite=is_on_sqlite(session))
    session.execute(statement, {bulk_rows.INSERTED: bulk_rows.encode(rows)})


@cache
def _upsert_subscriptions(*, on_sqlite: bool) -> bulk_rows.Insert:
    table = cast("Table", Subscription.__table__)
    columns = ("subscriber_id", "newsletter_id", "standing", "cadence", "since", "language")
    insert = bulk_rows.insert(table, *columns, on_sqlite=on_sqlite)
    changed = {name: insert.excluded[name] for name in ("standing", "since", "language")}
    key = [table.c.subscriber_id, table.c.newsletter_id]
    return insert.on_conflict_do_update(
        index_elements=key, set_=changed, where=table.c.standing != insert.excluded.standing
    )


def standings(session: Session, subscriber_ids: Collection[int]) -> dict[tuple[int, int], Standing]:
    """Return the standings of several subscribers, by subscriber and newsletter."""
    if not subscriber_ids:
        return {}
    columns = select(Subscription.subscriber_id, Subscription.newsletter_id, Subscription.standing)
    found = session.execute(columns.where(Subscription.subscriber_id.in_(subscriber_ids)))
    return {(row[0], row[1]): row[2] for row in found}


def subscriptions(session: Session, subscriber_id: int) -> dict[int, Subscription]:
    """Return a subscriber's subscriptions by newsletter id."""
    found = session.scalars(select(Subscription).where(Subscription.subscriber_id == subscriber_id))
    return {subscription.newsletter_id: subscription for subscription in found}


def set_standing(
    session: Session, subscriber_id: int, newsletter_id: int, standing: Standing, *, now: datetime
) -> None:
    """Update the subscription after an entry was appended, or create it.

    `since` changes only when the standing does.
    """
    subscription = session.get(Subscription, (subscriber_id, newsletter_id))
    if subscription is None:
        session.add(
            Subscription(subscriber_id=subscriber_id, newsletter_id=newsletter_id, standing=standing, since=now)
        )
    elif subscription.standing != standing:
        subscription.standing, subscription.since = standing, now
    session.flush()


def set_standings(
    session: Session,
    subscriber_id: int,
    newsletters: Collection[int],
    standing: Standing,
    *,
    now: datetime,
    **changes: str,
) -> None:
    """Update existing subscriptions, whose standing differs, and other columns after entries were appended.

    It ends a pause: who comes back would wait for letters in vain.
    """
    chosen = Subscription.subscriber_id == subscriber_id, Subscription.newsletter_id.in_(newsletters)
    session.execute(
        update(Subscription).where(*chosen).values(standing=standing, since=now, paused_until=None, **changes)
    )


def count(session: Session, newsletter_id: int) -> int:
    """Count a newsletter's readers: confirmed, not left, not suppressed."""
    readers = (
        select(func.count())
        .select_from(Subscription)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.newsletter_id == newsletter_id, Subscription.standing == Standing.SUBSCRIBED)
        .where(Subscriber.suppressed.is_(None))
    )
    return session.scalar(readers) or 0
