"""Deliveries: one letter owed to one reader, a row that ends in exactly one state.

    queued ──claim──> claimed ──record──> sent | failed | queued again (later) | in_doubt
       │                 └── its carrier died: queued again, counted in `deaths`
       ├── the reader left meanwhile: withheld
       └── the issue was cancelled: cancelled
    in_doubt ──claim──> claimed ──in doubt again, or given up──> unknown

The final states are sent, failed, withheld, cancelled and unknown. For each letter the number of its rows and of its
tallies together is its audience, always.

Failed, withheld and cancelled mean that nothing arrived. A letter that may have arrived never ends in one of them: it
ends unknown (`may_have_arrived`, `not_sent`).
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, cast

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

from newsletter.mail.letters.letters import Letter, Priority, Variant
from newsletter.store.database import Base


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    IN_DOUBT = "in_doubt"  # the relay may have taken it; it will be repeated once, with the same bytes
    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"  # the reader left, or is not to be written to
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # it may have arrived, and is not sent again


DEATHS = 3  # carriers that may die with a letter in their hands before it is suspected, and carried alone
WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT)
OPEN = (*WAITING, DeliveryStatus.CLAIMED)

# What no carrier has decided. Neither column changes when a letter is claimed, nor does any other that is indexed: so
# PostgreSQL writes the claim into the row's own page and into no index at all (a heap-only tuple), which is half of
# what a letter costs it. An index of what waits would be shorter by the letters in hand, and written once more.
_IS_URGENT = text("decided_at IS NULL AND priority = 0")
_IS_BULK = text("decided_at IS NULL AND priority = 1")


class Delivery(Base):
    """One letter for one reader; the constraint makes a second impossible."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("letter_id", "subscriber_id"),
        Index("ix_deliveries_urgent", "due_at", "id", sqlite_where=_IS_URGENT, postgresql_where=_IS_URGENT),
        Index("ix_deliveries_bulk", "letter_id", "due_at", "id", sqlite_where=_IS_BULK, postgresql_where=_IS_BULK),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
        {"info": {"personal": {"by": "subscriber_id", "on_erasure": "unlink", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="SET NULL"))
    recipient: Mapped[str | None] = mapped_column(default=None)  # of a test letter, which has no subscriber
    variant_id: Mapped[int] = mapped_column(ForeignKey("variants.id"))
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.QUEUED)
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    attempt: Mapped[int] = mapped_column(Integer, default=0)  # raised by each claim, also one that comes to nothing
    deferrals: Mapped[int] = mapped_column(SmallInteger, default=0)  # replies that said: later
    doubts: Mapped[int] = mapped_column(SmallInteger, default=0)
    deaths: Mapped[int] = mapped_column(SmallInteger, default=0)  # carriers that died with it in their hands
    # Who has it in hand, or had when it was decided or that carrier died; None once its carrier gave it back. It refers
    # to carriers, whose rows stay; a foreign key would be looked up for each letter that is claimed.
    carrier_id: Mapped[int | None] = mapped_column(default=None)
    first_tried_at: Mapped[datetime | None] = mapped_column(default=None)  # its Date, in every repeat
    key_id: Mapped[str | None] = mapped_column(String(8), default=None)  # its links' key, in every repeat
    decided_at: Mapped[datetime | None] = mapped_column(default=None)
    reply_code: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    reply_text: Mapped[str | None] = mapped_column(default=None)


DELIVERIES = cast("Table", Delivery.__table__)  # for statements that need nothing of the mapper, and run often


def owe(
    session: Session,
    letter: Letter,
    variant: Variant,
    *,
    subscriber_id: int | None = None,
    recipient: str | None = None,
    now: datetime,
) -> Delivery:
    """Owe a letter to one subscriber, or to a recipient that is none; returns the row with its id."""
    owed = Delivery(subscriber_id=subscriber_id, recipient=recipient, **_begin(letter, variant, now))
    session.add(owed)
    session.flush()
    return owed


def owe_each(session: Session, letter: Letter, variant: Variant, subscribers: Select[int], *, now: datetime) -> int:
    """Owe a letter to each subscriber that a query selects the id of, in one statement; returns to how many."""
    first = {DELIVERIES.c[name]: value for name, value in _begin(letter, variant, now).items()}
    rows = subscribers.add_columns(*(literal(value, column.type) for column, value in first.items()))
    owe_them = insert(DELIVERIES).from_select([DELIVERIES.c.subscriber_id, *first], rows)
    made = session.execute(owe_them, execution_options={"preserve_rowcount": True})  # or PostgreSQL's is thrown away
    return int(made.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has it


def _begin(letter: Letter, variant: Variant, now: datetime) -> dict[str, Any]:
    """The columns of every new delivery, by name."""
    return {
        "letter_id": letter.id,
        "variant_id": variant.id,
        "status": DeliveryStatus.QUEUED,
        "priority": letter.priority,
        "due_at": now,
        "queued_at": now,
        "attempt": 0,
        "deferrals": 0,
        "doubts": 0,
        "deaths": 0,
    }


def stands(*statuses: DeliveryStatus) -> ColumnElement[bool]:
    """Whether a delivery has one of these statuses.

    They are written into the statement: behind a parameter the planner would not see that a partial index fits.
    """
    return Delivery.status.in_(bindparam(None, list(statuses), expanding=True, literal_execute=True))


def undecided(priority: Priority) -> ColumnElement[bool]:
    """Whether a delivery of this priority is yet to be decided: the condition of the index that finds it."""
    same = Delivery.priority == bindparam(None, int(priority), literal_execute=True)
    return and_(Delivery.decided_at.is_(None), same)


def may_have_arrived(doubts: Any, deaths: Any) -> Any:
    """Whether a copy may be in the inbox although no result says so. For a delivery's values or, in SQL, its columns.

    The relay got all of the letter and did not answer, or a worker died with the letter claimed: it may have died
    between the relay's 250 and the commit. Only a worker that lives can say that it never began a letter (UNTOUCHED).
    """
    return doubts + deaths > 0


def not_sent(status: DeliveryStatus | ColumnElement[DeliveryStatus]) -> ColumnElement[DeliveryStatus]:
    """The final state, in SQL, of a delivery that is not sent: `status`, or UNKNOWN if the letter may have arrived.

    Every statement that ends a delivery as failed, withheld or cancelled takes the state from here.
    """
    return case((may_have_arrived(DELIVERIES.c.doubts, DELIVERIES.c.deaths), DeliveryStatus.UNKNOWN), else_=status)


class Tally(Base):
    """Deliveries whose rows were purged or whose readers were erased, as numbers: the sums stay true."""

    __tablename__ = "tallies"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    carrier_id: Mapped[int] = mapped_column(primary_key=True)  # 0: of no carrier
    status: Mapped[DeliveryStatus] = mapped_column(primary_key=True)
    n: Mapped[int]


def sums(session: Session, letter_id: int) -> dict[DeliveryStatus, int]:
    """How many of a letter's deliveries stand where; every status is named, and their sum is the audience."""
    rows = select(Delivery.status, func.count()).where(Delivery.letter_id == letter_id).group_by(Delivery.status)
    folded = select(Tally.status, func.sum(Tally.n)).where(Tally.letter_id == letter_id).group_by(Tally.status)
    counts = dict.fromkeys(DeliveryStatus, 0)
    for status, number in [*session.execute(rows), *session.execute(folded)]:
        counts[status] += int(number)
    return counts
