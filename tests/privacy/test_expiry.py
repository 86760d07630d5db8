"""Tickets, counts and traces are deleted once their time is over, a bounded number at a time."""

from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, LedgerEntry, Trace, TraceRow
from newsletter.consent.limits.pressure import LetterCount
from newsletter.consent.limits.tickets import Ticket
from newsletter.consent.signups.signups import SignupLetter
from newsletter.privacy import expiry
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON


def left(begin, reading, row: type, *, after: timedelta, limit: int = expiry.BATCH_SIZE) -> int:
    """Delete until nothing more is due at that time; return how many rows are left."""
    more = True
    while more:
        with begin() as session:
            more = expiry.delete_expired(session, now=NOON + after, limit=limit)
    with reading() as session:
        return len(session.execute(select(*row.__table__.primary_key)).all())


def a_ticket(session) -> None:
    session.execute(insert(Ticket).values(fold_key="k1:f", number=1, taken_at=NOON, occasion="signup:7"))


def a_count(session) -> None:
    session.execute(insert(LetterCount).values(key="k1:m", since=NOON, n=3))


def a_reservation(session) -> None:
    newsletter = a_newsletter(session)
    session.execute(insert(SignupLetter).values(fold_key="f", newsletter_id=newsletter.id, day=date(2026, 3, 14)))


def a_trace(session) -> None:
    newsletter = a_newsletter(session)
    reader = a_reader(session, newsletter)
    trace = Trace("192.0.2.1", "Test/1.0")
    ledger.append(session, reader.subject, Event.WITHDRAWN, newsletter=newsletter, evidence={}, trace=trace, now=NOON)


@pytest.mark.parametrize(
    ("add", "row", "lifetime"),
    [
        (a_ticket, Ticket, timedelta(hours=24)),
        (a_count, LetterCount, timedelta(hours=2)),
        (a_reservation, SignupLetter, timedelta(days=3) - timedelta(hours=12)),
        (a_trace, TraceRow, timedelta(days=30)),
    ],
)
def test_a_row_is_deleted_when_its_time_is_over(begin, reading, add, row, lifetime):
    with begin() as session:
        add(session)
    assert left(begin, reading, row, after=lifetime - timedelta(seconds=1)) == 1
    assert left(begin, reading, row, after=lifetime) == 0


def test_many_rows_are_deleted_in_batches(begin, reading):
    with begin() as session:
        tickets = [{"fold_key": f"k1:{n}", "number": 0, "taken_at": NOON, "occasion": f"signup:{n}"} for n in range(25)]
        session.execute(insert(Ticket), tickets)
    for remaining, more in ((15, True), (5, True), (0, False)):
        with begin() as session:
            assert expiry.delete_expired(session, now=NOON + timedelta(days=1), limit=10) is more
        with reading() as session:
            assert len(session.scalars(select(Ticket.fold_key)).all()) == remaining


def test_the_entry_of_a_deleted_trace_stays(begin, reading):
    with begin() as session:
        a_trace(session)
    with reading() as session:
        before = session.scalars(select(LedgerEntry.id)).all()
    assert left(begin, reading, TraceRow, after=timedelta(days=30)) == 0
    with reading() as session:
        assert session.scalars(select(LedgerEntry.id)).all() == before
