"""A worker answers no more sign-ups than its relays take in two seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.delivery.backpressure import (
    INITIAL_LETTERS,
    MAX_LETTERS,
    MIN_LETTERS,
    TARGET_SECONDS,
    Backpressure,
)
from tests.builders import a_delivery, a_letter, a_newsletter, a_reader, a_signup, owed
from tests.clock import NOON


def at_rate(backpressure: Backpressure, rate: float, *, runs: int = 10) -> Backpressure:
    for _ in range(runs):
        backpressure.note(backpressure.letters, backpressure.letters / rate)
    return backpressure


def test_a_fast_relay_soon_gets_the_letters_of_a_full_set():
    letters, backpressure = [], Backpressure()
    for _ in range(4):
        letters.append(backpressure.letters)
        at_rate(backpressure, 5000, runs=1)
    assert letters == [INITIAL_LETTERS, 64, 128, MAX_LETTERS]


@given(st.floats(MIN_LETTERS / TARGET_SECONDS + 1, MAX_LETTERS / TARGET_SECONDS))
def test_at_any_rate_the_letters_that_wait_are_two_seconds_of_work(rate):
    assert at_rate(Backpressure(), rate).letters == pytest.approx(rate * TARGET_SECONDS, abs=1)


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1000))))
def test_whatever_is_measured_some_letters_may_wait_and_never_more_than_a_set(measured):
    backpressure = Backpressure()
    for taken, seconds in measured:
        backpressure.note(taken, seconds)
        assert MIN_LETTERS <= backpressure.letters <= MAX_LETTERS


def test_a_relay_that_becomes_slow_is_noticed_at_once_and_one_that_recovers_soon():
    backpressure = at_rate(Backpressure(), 5000)
    assert at_rate(backpressure, 14, runs=1).letters == 28
    assert at_rate(backpressure, 5000, runs=3).letters == MAX_LETTERS


def test_a_few_letters_say_nothing_about_a_relay():
    backpressure = Backpressure()
    backpressure.note(3, 60)
    assert backpressure.letters == INITIAL_LETTERS


def confirmations(session, number: int) -> None:
    newsletter = a_newsletter(session)
    for _ in range(number):
        signup = a_signup(session, newsletter)
        a_delivery(session, a_letter(session, newsletter, signup=signup), a_reader(session, newsletter))


@pytest.mark.parametrize(("waiting", "allowed"), [(0, INITIAL_LETTERS), (10, INITIAL_LETTERS - 10), (50, 0)])
def test_letters_that_wait_for_the_relays_leave_less_for_others(begin, waiting, allowed):
    with begin() as session:
        confirmations(session, waiting)
        assert Backpressure().allowance(session, now=NOON) == allowed


def test_letters_of_issues_do_not_count(begin):
    with begin() as session:
        owed(session, 10)
        assert Backpressure().allowance(session, now=NOON) == INITIAL_LETTERS
