"""What makes a benchmark end with 1."""

from typing import Any

import pytest

from newsletter.cli.bench import failures

FINE: dict[str, Any] = {
    **dict.fromkeys(("lost", "doubled", "difference", "failed", "unknown"), 0),
    "lively": {"leavers": {"mails_later_than_limit": 0}, "confirmations": {"signups": 9, "letters": 9}},
    "paced": {"leavers": {"mails_later_than_limit": 0}},
}


def test_nothing_is_wrong_where_all_arrived_in_time():
    assert failures(FINE) == []
    nobody_meanwhile = {"lost": None, "doubled": None, "difference": None, "lively": None, "paced": None}
    assert failures(FINE | nobody_meanwhile) == []


@pytest.mark.parametrize("name", ["lost", "doubled", "difference", "failed", "unknown"])
def test_a_letter_that_went_astray_is_wrong(name):
    assert failures(FINE | {name: 1}) == [name]


def test_fewer_counted_than_recorded_is_wrong_as_well():
    assert failures(FINE | {"difference": -1}) == ["difference"]


def test_a_letter_begun_too_long_after_its_reader_left_is_wrong():
    assert failures(FINE | {"paced": {"leavers": {"mails_later_than_limit": 1}}}) == ["mails_later_than_limit"]


def test_a_sign_up_that_got_no_letter_is_wrong():
    missing = {"leavers": None, "confirmations": {"signups": 9, "letters": 8}}
    assert failures(FINE | {"lively": missing}) == ["confirmations"]
