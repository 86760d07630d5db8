"""Results that make a benchmark exit with 1."""

from typing import Any

import pytest

from newsletter.cli.bench import failures

FINE: dict[str, Any] = {
    **dict.fromkeys(("lost", "doubled", "difference", "failed", "unknown"), 0),
    "lively": {"leavers": {"mails_later_than_limit": 0}, "confirmations": {"signups": 9, "letters": 9}},
    "paced": {"leavers": {"mails_later_than_limit": 0}},
}


def test_a_benchmark_whose_letters_all_arrived_in_time_succeeds():
    assert failures(FINE) == []
    without_load = {"lost": None, "doubled": None, "difference": None, "lively": None, "paced": None}
    assert failures(FINE | without_load) == []


@pytest.mark.parametrize("name", ["lost", "doubled", "difference", "failed", "unknown"])
def test_a_lost_doubled_or_failed_letter_is_a_failure(name):
    assert failures(FINE | {name: 1}) == [name]


def test_fewer_letters_counted_than_recorded_is_a_failure():
    assert failures(FINE | {"difference": -1}) == ["difference"]


def test_a_letter_begun_too_long_after_its_reader_unsubscribed_is_a_failure():
    assert failures(FINE | {"paced": {"leavers": {"mails_later_than_limit": 1}}}) == ["mails_later_than_limit"]


def test_a_sign_up_without_a_confirmation_letter_is_a_failure():
    missing = {"leavers": None, "confirmations": {"signups": 9, "letters": 8}}
    assert failures(FINE | {"lively": missing}) == ["confirmations"]
