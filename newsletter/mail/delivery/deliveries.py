"""Deliveries: one letter owed to one reader, a row that ends in exactly one state.

    queued ──claim──> claimed ──record──> sent | failed | queued again (later) | in_doubt
       │                 └── its worker's lease expired: queued again, counted in `deaths`
       ├── the reader left or pauses meanwhile: withheld
       └── the issue was cancelled: cancelled
    in_doubt ──claim──> claimed ──in doubt again, or given up──> unknown

The final states are sent, failed, withheld, cancelled and unknown. A letter's audience always equals the number of its
rows plus its tallies.

Failed, withheld and cancelled mean that nothing arrived. A letter that may have arrived never ends in one of them: it
ends unknown (`may_have_arrived`, `not_sent`).
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Select,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.keys import MAX_ID_CHARACTERS
from newsletter.mail.letters.letters import Letter, Priority, Variant
from newsletter.store import bulk_rows
from newsletter.store.database import Base, is_on_sqlite


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    IN_DOUBT = "in_doubt"  # the relay may have taken it; it is repeated once, with the same bytes
    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"  # the reader left or pauses, or must not be written to
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # it may have arrived, and is not sent again


SUSPECT_DEATHS = 3  # workers that stopped while they held a letter, from which on it is a suspect and is sent alone
WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT)
OPEN = (*WAITING, DeliveryStatus.CLAIMED)

# The indexes of open deliveries. A claim changes no indexed column, so PostgreSQL writes it into the row's own page and
# into no index (a heap-only tuple); that halves the cost of a letter. An index of waiting deliveries only would be
# shorter by the claimed ones, but each claim would write to it.
_IS_URGENT = text("decided_at IS NULL AND priority = 0")
_IS_BULK = text("decided_at IS NULL AND priority = 1")
_IS_SOON = text("decided_at IS NULL AND priority = 2")


class Delivery(Base):
    """One letter owed to one reader; the constraint makes a second one impossible."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("letter_id", "subscriber_id"),
        Index("ix_deliveries_urgent", "due_at", "id", sqlite_where=_IS_URGENT, postgresql_where=_IS_URGENT),
        Index("ix_deliveries_soon", "due_at", "id", sqlite_where=_IS_SOON, postgresql_where=_IS_SOON),
        Index("ix_deliveries_bulk", "letter_id", "due_at", "id", sqlite_where=_IS_BULK, postgresql_where=_IS_BULK),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        # Deleting a variant looks for deliveries that name it; without the index, each look reads the whole table.
        Index("ix_deliveries_variant_id", "variant_id"),
        {"info": {"personal": {"by": "subscriber_id", "on_erasure": "unlink", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"))
    # Of a letter that does not go to a subscriber's present address: to an operator, or about a change of address.
    recipient: Mapped[str | None] = mapped_column(default=None)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variants.id"))
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.QUEUED)
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(Integer, default=0)  # increased by each claim, even if nothing is sent
    deferrals: Mapped[int] = mapped_column(SmallInteger, default=0)  # attempts whose outcome was "later"
    doubts: Mapped[int] = mapped_column(SmallInteger, default=0)
    deaths: Mapped[int] = mapped_column(SmallInteger, default=0)  # workers that stopped while they held its claim
    # The worker that holds the claim, or held it when the delivery became final or the lease expired; None once the
    # worker released it. No foreign key: it would be checked for each claim, and workers' rows are never deleted.
    carrier_id: Mapped[int | None] = mapped_column(default=None)
    first_tried_at: Mapped[datetime | None] = mapped_column(default=None)  # the Date header of every attempt
    # The key that signs its links in every attempt.
    key_id: Mapped[str | None] = mapped_column(String(MAX_ID_CHARACTERS), default=None)
    decided_at: Mapped[datetime | None] = mapped_column(default=None)
    reply_code: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    reply_text: Mapped[str | None] = mapped_column(default=None)


DELIVERIES = cast("Table", Delivery.__table__)  # for frequent statements, which do not need the mapper

# The status, in SQL, of a delivery that goes back to the queue.
REQUEUED_STATUS = case((DELIVERIES.c.doubts > 0, DeliveryStatus.IN_DOUBT), else_=DeliveryStatus.QUEUED)


def owe(
    session: Session,
    letter: Letter,
    variant: Variant,
    *,
    subscriber_id: int | None = None,
    recipient: str | None = None,
    now: datetime,
) -> Delivery:
    """Owe a letter to one subscriber, or to a recipient at another address; return the row with its id."""
    owed = Delivery(subscriber_id=subscriber_id, recipient=recipient, **_initial(letter, variant, now))
    session.add(owed)
    session.flush()
    return owed


def owe_each(session: Session, letter: Letter, readers: Select[int, int], *, now: datetime) -> int:
    """Owe a letter to each reader in one statement; return their number.

    The query selects the subscriber's id and that of the letter's variant.
    """
    values = {"letter_id": letter.id, **initial_values(letter.priority, now)}
    initial = {DELIVERIES.c[name]: value for name, value in values.items()}
    rows = readers.add_columns(*(literal(value, column.type) for column, value in initial.items()))
    columns = [DELIVERIES.c.subscriber_id, DELIVERIES.c.variant_id, *initial]
    statement = insert(DELIVERIES).from_select(columns, rows)
    # SQLAlchemy drops PostgreSQL's row count without the option.
    inserted = session.execute(statement, execution_options={"preserve_rowcount": True})
    return int(inserted.rowcount)  # type: ignore[attr-defined]  # the result of an INSERT has it


class Owed(NamedTuple):
    """A letter that is owed to one subscriber."""

    letter_id: int
    variant_id: int
    subscriber_id: int


def owe_all(session: Session, owed: Iterable[Owed], *, now: datetime, priority: Priority = Priority.URGENT) -> None:
    """Owe letters of one priority, which are sent in this order, in one statement."""
    rows = [{**initial_values(priority, now), **each._asdict()} for each in owed]
    statement = _insert_owed(on_sqlite=is_on_sqlite(session))
    session.execute(statement, {bulk_rows.INSERTED: bulk_rows.encode(rows)})


@cache
def _insert_owed(*, on_sqlite: bool) -> bulk_rows.Insert:
    columns = (*Owed._fields, *INITIAL_COLUMNS)
    return bulk_rows.insert(DELIVERIES, *columns, on_sqlite=on_sqlite)


def _initial(letter: Letter, variant: Variant, now: datetime) -> dict[str, Any]:
    """Return the columns of a new delivery, by name."""
    return {"letter_id": letter.id, "variant_id": variant.id, **initial_values(letter.priority, now)}


INITIAL_COLUMNS = ("status", "priority", "due_at", "queued_at", "attempt", "deferrals", "doubts", "deaths")


def initial_values(priority: int, now: datetime) -> dict[str, Any]:
    """Return the INITIAL_COLUMNS of a new delivery, by name."""
    return {
        "status": DeliveryStatus.QUEUED,
        "priority": priority,
        "due_at": now,
        "queued_at": now,
        "attempt": 0,
        "deferrals": 0,
        "doubts": 0,
        "deaths": 0,
    }


def has_status(*statuses: DeliveryStatus) -> ColumnElement[bool]:
    """Return the SQL condition that a delivery has one of these statuses.

    The values are literals in the statement: with parameters the planner would not see that a partial index fits.
    """
    return Delivery.status.in_(bindparam(None, list(statuses), expanding=True, literal_execute=True))


def undecided(priority: Priority) -> ColumnElement[bool]:
    """Return the SQL condition that a delivery of this priority is not final, as the partial index has it."""
    same = Delivery.priority == bindparam(None, int(priority), literal_execute=True)
    return and_(Delivery.decided_at.is_(None), same)


def may_have_arrived(doubts: Any, deaths: Any) -> Any:
    """Return whether a copy may be in the inbox although no result says so; takes a row's values or SQL columns.

    Either the relay got the whole letter and did not reply, or a worker stopped while it held the letter, perhaps
    between the relay's 250 and the commit. Only a living worker can report that it never began a letter (UNTOUCHED).
    """
    return doubts + deaths > 0


def not_sent(status: DeliveryStatus | ColumnElement[DeliveryStatus]) -> ColumnElement[DeliveryStatus]:
    """Return the final state, in SQL, of a delivery that is not sent: UNKNOWN if it may have arrived, else `status`.

    Every statement that makes a delivery failed, withheld or cancelled must use it.
    """
    return case((may_have_arrived(DELIVERIES.c.doubts, DELIVERIES.c.deaths), DeliveryStatus.UNKNOWN), else_=status)


class Tally(Base):
    """The number of deliveries whose rows were purged or whose readers were erased, so that the counts stay right."""

    __tablename__ = "tallies"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    carrier_id: Mapped[int] = mapped_column(primary_key=True)  # 0: no worker
    status: Mapped[DeliveryStatus] = mapped_column(primary_key=True)
    n: Mapped[int]


def status_counts(session: Session, letter_id: int) -> dict[DeliveryStatus, int]:
    """Return the number of a letter's deliveries in each status, zeros included; they add up to its audience."""
    rows = select(Delivery.status, func.count()).where(Delivery.letter_id == letter_id).group_by(Delivery.status)
    tallies = select(Tally.status, func.sum(Tally.n)).where(Tally.letter_id == letter_id).group_by(Tally.status)
    counts = dict.fromkeys(DeliveryStatus, 0)
    for status, number in [*session.execute(rows), *session.execute(tallies)]:
        counts[status] += int(number)
    return counts
