"""Tickets: three letters a day to an inbox, one of them kept for the untagged spelling."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.consent.limits import tickets
from newsletter.consent.limits.tickets import Ticket
from tests.clock import NOON

DAY = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)
ANA, EVE = "k1:ana", "k1:eve"


def test_an_untagged_spelling_gets_three_tickets_and_a_tagged_one_two():
    assert [tickets.choose(taken, is_tagged=False) for taken in (set(), {0}, {0, 1}, {0, 1, 2})] == [0, 1, 2, None]
    assert [tickets.choose(taken, is_tagged=True) for taken in (set(), {1}, {1, 2}, {0, 1, 2})] == [1, 2, None, None]


@given(st.lists(st.booleans()))
def test_tagged_spellings_never_keep_the_untagged_one_from_its_letter(spellings):
    taken: set[int] = set()
    for is_tagged in spellings:
        number = tickets.choose(taken, is_tagged)
        if number is None:
            assert len(taken) == 3 or is_tagged
        else:
            assert number not in taken
            taken.add(number)
    assert len(taken) <= 3
    assert all(spellings) <= (tickets.choose(taken, is_tagged=False) is not None)


def test_a_taken_ticket_is_free_again_after_24_hours(begin):
    with begin() as session:
        assert tickets.take(session, [(ANA, 0, "signup:1")], now=NOON)
        assert tickets.taken(session, [ANA, EVE], now=NOON) == {ANA: {0}, EVE: set()}
        assert not tickets.take(session, [(ANA, 0, "signup:2")], now=NOON + DAY - MOMENT)
        assert tickets.taken(session, [ANA], now=NOON + DAY) == {ANA: set()}
        assert tickets.take(session, [(ANA, 0, "signup:2")], now=NOON + DAY)
        assert tickets.taken(session, [ANA], now=NOON + DAY) == {ANA: {0}}
        assert [ticket.occasion for ticket in session.scalars(select(Ticket))] == ["signup:2"]


def test_of_no_inboxes_nothing_is_taken_or_released(begin):
    with begin() as session:
        assert tickets.take(session, [], now=NOON)
        tickets.release(session, {})
        assert tickets.taken(session, [], now=NOON) == {}


def test_if_one_of_several_is_taken_none_is(begin):
    with begin() as session:
        assert tickets.take(session, [(EVE, 1, "signup:1")], now=NOON)
    with begin() as session:
        wanted = [(EVE, 1, "signup:3"), (ANA, 0, "signup:2"), (EVE, 2, "signup:4")]
        assert not tickets.take(session, wanted, now=NOON)
        assert tickets.taken(session, [ANA, EVE], now=NOON) == {ANA: set(), EVE: {1}}
        assert tickets.take(session, [(EVE, 2, "signup:3"), (ANA, 0, "signup:2")], now=NOON)


def test_a_released_ticket_can_be_taken_again_and_a_ticket_of_another_letter_stays(begin):
    with begin() as session:
        tickets.take(session, [(ANA, 0, "signup:1"), (ANA, 1, "signup:2"), (EVE, 0, "signup:3")], now=NOON)
        for _ in range(2):
            tickets.release(session, {ANA: ["signup:1", "signup:3"], EVE: ["signup:1"]})
            assert tickets.taken(session, [ANA, EVE], now=NOON) == {ANA: {1}, EVE: {0}}


@pytest.mark.parametrize("is_first_kept", [True, False])
def test_a_transaction_waits_for_another_that_takes_its_ticket_and_gets_it_only_if_that_one_is_rolled_back(
    postgresql_database, is_first_kept
):
    def second() -> bool:
        with postgresql_database.writing() as session:
            return tickets.take(session, [(ANA, 0, "signup:2"), (EVE, 0, "signup:3")], now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.writing() as session:
            assert tickets.take(session, [(ANA, 0, "signup:1")], now=NOON)
            waiting = pool.submit(second)
            while not _someone_waits(postgresql_database):
                assert not waiting.done()
            if not is_first_kept:
                session.rollback()
        assert waiting.result() is not is_first_kept
    with postgresql_database.reading() as session:
        occasions = {ticket.occasion for ticket in session.scalars(select(Ticket))}
    assert occasions == ({"signup:1"} if is_first_kept else {"signup:2", "signup:3"})


def _someone_waits(database) -> bool:
    with database.reading() as session:
        return bool(
            session.connection()
            .exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            .scalar()
        )


def test_many_transactions_at_once_never_take_more_than_three_and_never_wait_for_each_other(postgresql_database):
    folds = [f"k1:{number}" for number in range(8)]
    together = Barrier(6)

    def answer(worker: int) -> int:
        got = 0
        for attempt in range(12):
            together.wait(timeout=60)
            order = folds[worker:] + folds[:worker]
            with postgresql_database.writing() as session:
                numbers = tickets.taken(session, order, now=NOON)
                free = {fold: tickets.choose(numbers[fold], is_tagged=worker % 2 == 0) for fold in order}
                wanted = [(fold, free[fold], f"signup:{worker}:{attempt}") for fold in order if free[fold] is not None]
                got += len(wanted) if tickets.take(session, wanted, now=NOON) else 0
        return got

    with ThreadPoolExecutor(6) as pool:
        got = sum(pool.map(answer, range(6)))
    with postgresql_database.reading() as session:
        rows = session.scalars(select(Ticket)).all()
        assert got == len(rows) == 3 * len(folds)
