"""How many letters an hour fit the limits of a host, a network, a domain and of all."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from newsletter.consent.limits import pressure
from newsletter.consent.limits.pressure import LetterCount, LetterKeys, LetterLimits, Room
from newsletter.settings import Settings
from tests.builders import KEYRING
from tests.clock import NOON
from tests.statements import executed

LIMITS = LetterLimits(host=2, network=4, domain=6, overall=8)


def letter(ip: str | None = None, domain: str = "example.org") -> LetterKeys:
    return pressure.letter_keys(KEYRING, ip=ip, address_key=f"ana@{domain}")


def take(session, candidates, *, now=NOON, limits=LIMITS) -> list[bool]:
    room = pressure.room(session, candidates, limits, now=now)
    fitting = [room.take(each) for each in candidates]
    room.write(session)
    return fitting


def test_the_limits_are_those_of_the_settings():
    assert LetterLimits(*Settings().confirmation_limits) == LetterLimits(
        host=10, network=60, domain=100, overall=20_000
    )


@pytest.mark.parametrize(
    ("letters", "fits"),
    [
        ([letter("198.51.100.1", f"{n}.example") for n in range(4)], 2),
        ([letter(f"198.51.100.{n}", f"{n}.example") for n in range(9)], 4),
        ([letter(f"198.51.{n}.1") for n in range(9)], 6),
        ([letter(f"198.51.{n}.1", f"{n}.example") for n in range(9)], 8),
        ([letter("2001:db8::1", f"{n}.example") for n in range(4)], 2),
        ([letter(f"2001:db8:0:{n}::1", f"{n}.example") for n in range(9)], 4),
        ([letter("10.0.0.1", f"{n}.example") for n in range(9)], 8),
        ([letter(None, f"{n}.example") for n in range(9)], 8),
        ([letter(f"198.51.{n}.1", "gmail.com") for n in range(9)], 8),
    ],
)
def test_the_first_letters_fit_and_the_others_do_not(begin, letters, fits):
    with begin() as session:
        assert take(session, letters) == [True] * fits + [False] * (len(letters) - fits)
    with begin() as session:
        assert take(session, letters[-1:]) == [False]


def test_a_letter_that_does_not_fit_takes_nothing_from_the_others(begin):
    with begin() as session:
        one_host = [letter("198.51.100.1") for _ in range(20)]
        assert take(session, [*one_host, letter("203.0.113.1")])[-1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("mn"), st.sampled_from("xyz")), max_size=40))
def test_no_limit_is_ever_exceeded_and_no_letter_that_fits_is_left_out(letters):
    room = Room(Counter(), LIMITS, NOON)
    owed: Counter[str] = Counter()
    for candidate in (LetterKeys(*each) for each in letters):
        would_fit = all(owed[key] < limit for key, limit in zip(candidate, LIMITS, strict=True))
        assert room.take(candidate) is would_fit
        owed.update(candidate if would_fit else ())


@pytest.mark.parametrize("minute", range(0, 10, 3))
def test_an_hour_later_there_is_room_again_and_never_before(begin, minute):
    start = NOON + timedelta(minutes=minute)
    with begin() as session:
        assert take(session, [letter()] * 6, now=start) == [True] * 6
        for minutes in (10, 30, 59):
            assert take(session, [letter()], now=start + timedelta(minutes=minutes)) == [False]
        assert take(session, [letter()], now=start + timedelta(minutes=70)) == [True]


def test_a_clock_that_is_set_back_opens_no_limit(begin):
    with begin() as session:
        take(session, [letter()] * 6)
        assert take(session, [letter()], now=NOON - timedelta(minutes=50)) == [False]


def test_what_was_counted_far_in_the_future_limits_nothing_now(begin):
    with begin() as session:
        take(session, [letter()] * 6, now=NOON + timedelta(days=400))
        assert take(session, [letter()]) == [True]


def test_a_transaction_that_fails_counts_nothing(begin):
    with begin() as session:
        take(session, [letter()] * 6)
        session.rollback()
    with begin() as session:
        assert take(session, [letter()] * 6) == [True] * 6


def test_two_workers_at_once_owe_no_letter_more_than_the_limits_allow(database, begin):
    both, owed = Barrier(2), []

    def work() -> None:
        both.wait()
        for _ in range(10):
            with begin() as session:
                owed.extend(take(session, [letter("198.51.100.1", "one.example"), letter()]))

    with ThreadPoolExecutor(2) as workers:
        for each in [workers.submit(work) for _ in range(2)]:
            each.result()
    assert sum(owed) == LIMITS.overall
    with begin() as session:
        overall = select(func.sum(LetterCount.n)).where(LetterCount.key == pressure.OVERALL)
        assert session.scalar(overall) == LIMITS.overall


def test_any_number_of_letters_takes_the_same_few_statements(database, begin):
    numbers = []
    for letters in ([letter("198.51.100.1")], [letter(f"198.51.{n}.1", f"{n}.example") for n in range(200)]):
        with executed(database) as statements, begin() as session:
            take(session, letters, limits=LetterLimits(1000, 1000, 1000, 1000))
        numbers.append(len(statements))
    assert numbers[0] == numbers[1] <= 3


def test_the_stored_keys_name_neither_a_network_nor_a_domain(begin):
    with begin() as session:
        take(session, [letter("198.51.100.1", "secret.example")])
        keys = session.scalars(select(LetterCount.key)).all()
    assert len(keys) == 4
    assert not any("198.51" in key or "secret" in key for key in keys)


def test_the_keys_at_their_limit_are_counted_by_kind(begin):
    with begin() as session:
        take(session, [letter("198.51.100.1"), letter("198.51.100.1"), letter("203.0.113.1")])
        assert pressure.full(session, LIMITS, now=NOON) == {"host": 1, "network": 0, "domain": 0}
        assert pressure.full(session, LIMITS, now=NOON + timedelta(hours=2))["host"] == 0
