"""Tickets: each letter that somebody asks for, to an inbox, takes one of its three for a day (24 hours).

Number 0 is for the untagged spelling alone, so that a stranger's victim+x@ cannot keep victim@ from its letter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import DateTime, SmallInteger, String, Table, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from newsletter.store import bulk_rows
from newsletter.store.database import Base, UtcDateTime, is_on_sqlite

PERIOD = timedelta(hours=24)  # for which a ticket is taken
UNTAGGED_ONLY, *FOR_ALL = range(3)  # the numbers of an inbox's tickets

COLUMNS: dict[str, TypeEngine[Any]] = {
    "fold_key": String(),
    "number": SmallInteger(),
    "taken_at": DateTime(timezone=True),
    "occasion": String(),
}


class Ticket(Base):
    """One of an inbox's tickets, taken for a letter. It can be taken again 24 hours later."""

    __tablename__ = "tickets"

    fold_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(index=True)
    occasion: Mapped[str] = mapped_column(String(64))  # of the letter, such as `signup:7`


TICKETS = cast("Table", Ticket.__table__)


def taken(session: Session, fold_keys: Collection[str], *, now: datetime) -> dict[str, set[int]]:
    """Return, for each of these inboxes, the numbers of its tickets that are taken now."""
    found = select(Ticket.fold_key, Ticket.number).where(Ticket.fold_key.in_(fold_keys), Ticket.taken_at > now - PERIOD)
    numbers: dict[str, set[int]] = {fold_key: set() for fold_key in fold_keys}
    for fold_key, number in session.execute(found):
        numbers[fold_key].add(number)
    return numbers


def choose(taken_numbers: Collection[int], is_tagged: bool) -> int | None:
    """Return the ticket that a letter to this spelling of an inbox takes; None if no letter may go there."""
    numbers = FOR_ALL if is_tagged else [UNTAGGED_ONLY, *FOR_ALL]
    return next((number for number in numbers if number not in taken_numbers), None)


def take(session: Session, rows: Sequence[tuple[str, int, str]], *, now: datetime) -> bool:
    """Take tickets (fold key, number, occasion), each at most once among the rows; return whether all were free.

    Where another transaction has taken one meanwhile, none is taken. The caller then decides anew, with `taken`, best
    in a new transaction: this one may hold locks that another waits for. Locks the tickets in their order.
    """
    if not rows:
        return True
    values = [
        {"fold_key": fold_key, "number": number, "taken_at": now, "occasion": occasion}
        for fold_key, number, occasion in sorted(rows)
    ]
    statement = _take_statement(on_sqlite=is_on_sqlite(session))
    mine = session.execute(statement, {"rows": bulk_rows.encode(values), "free_since": now - PERIOD}).all()
    if len(mine) == len(rows):
        return True
    if mine:
        session.execute(delete(Ticket).where(tuple_(Ticket.fold_key, Ticket.number).in_([tuple(row) for row in mine])))
    return False


@cache
def _take_statement(*, on_sqlite: bool) -> ReturningInsert[Any]:
    row, rows = TICKETS.c, bulk_rows.table_of("rows", COLUMNS, on_sqlite=on_sqlite).c
    # The locks are taken in this order, so two transactions never wait for each other.
    in_order = select(*(rows[name] for name in COLUMNS)).order_by(rows.fold_key, rows.number)
    insert = (sqlite if on_sqlite else postgresql).insert(TICKETS).from_select(list(COLUMNS), in_order)
    statement: ReturningInsert[Any] = insert.on_conflict_do_update(
        index_elements=[row.fold_key, row.number],
        set_={"taken_at": insert.excluded.taken_at, "occasion": insert.excluded.occasion},
        where=row.taken_at <= bindparam("free_since", type_=UtcDateTime()),
    ).returning(row.fold_key, row.number)
    return statement


def release(session: Session, occasions_by_fold: Mapping[str, Iterable[str]]) -> None:
    """Give back the tickets of letters that were never sent. Repeating it is harmless.

    A ticket that another letter has taken since stays: it names its own occasion.
    """
    keys = sorted((fold_key, each) for fold_key, occasions in occasions_by_fold.items() for each in occasions)
    if keys:
        session.execute(delete(Ticket).where(tuple_(Ticket.fold_key, Ticket.occasion).in_(keys)))


def take_all(session: Session, fold_key: str, *, occasion: str, now: datetime) -> None:
    """Take all tickets of an inbox, whoever has them, so that for a day no letter can be owed to it."""
    dialect = sqlite if is_on_sqlite(session) else postgresql
    values = {"fold_key": fold_key, "taken_at": now, "occasion": occasion}
    insert = dialect.insert(TICKETS).values([{**values, "number": number} for number in (UNTAGGED_ONLY, *FOR_ALL)])
    changed = {"taken_at": insert.excluded.taken_at, "occasion": insert.excluded.occasion}
    key = [TICKETS.c.fold_key, TICKETS.c.number]
    session.execute(insert.on_conflict_do_update(index_elements=key, set_=changed))
