"""Withdrawals: an article that its publisher took out is told from one that only left the feed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.articles.withdrawals import FRESH, ListedArticle, withdrawn
from tests.clock import NOON

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def listed(*hours: int, first_seen=NOON - DAY) -> list[ListedArticle]:
    """Articles published that many hours before NOON; the hours are their ids."""
    return [ListedArticle(id=n, date=NOON - n * HOUR, offered_at=first_seen) for n in hours]


def dated(*hours: int):
    return [(n, NOON - n * HOUR) for n in hours]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), set()),
        ((2, 3, 4), (1, 2, 3), set()),  # a new one pushes the oldest off
        ((2, 3, 4, 5), (0, 1, 2, 3), set()),
        ((1, 2, 3, 4), (1, 2, 3), set()),  # the oldest leaves the feed's window of time
        ((1, 2, 3, 4), (1, 3, 4), {2}),
        ((4, 3, 2, 1), (4, 3, 1), {2}),  # the newest last
        ((2, 3, 4, 5), (1, 2, 4), {3}),  # one new entry explains that one has left, but not two
        ((1, 2, 3), (0, 1, 3), {2}),  # withdrawn while a new one arrives
        ((1, 2, 3, 900), (0, 1, 2, 900), set()),  # an old one is pinned
        ((1, 2, 3, 900), (1, 2, 900), {3}),
        ((3, 1, 4, 2), (3, 1, 4), set()),  # a ranking
        ((1, 2, 3, 4, 5), (1, 5), set()),  # too many at once
        ((1, 2), (), set()),
    ],
)
def test_an_entry_is_withdrawn_if_an_older_one_stays_and_no_new_one_explains_it(before, after, expected):
    assert withdrawn(listed(*before), dated(*after), now=NOON) == expected


def test_an_entry_that_vanishes_soon_without_a_new_one_is_withdrawn():
    fresh = listed(1, 2, first_seen=NOON - HOUR)
    assert withdrawn(fresh, dated(1), now=NOON) == {2}
    assert withdrawn(fresh, dated(0, 1), now=NOON) == set()
    assert withdrawn(fresh, dated(1), now=NOON + FRESH) == set()
    assert withdrawn(fresh[:1], [], now=NOON) == {1}


def test_a_document_with_an_undated_entry_is_not_in_the_order_of_dates():
    assert withdrawn(listed(1, 2, 3, 4), [(1, NOON - HOUR), (3, None), (4, NOON - 4 * HOUR)], now=NOON) == set()


NUMBERS = st.lists(st.integers(0, 30), unique=True, max_size=12)


@given(NUMBERS, NUMBERS)
def test_only_missing_articles_are_withdrawn_and_at_most_half_of_several(before, after):
    ids = withdrawn(listed(*before, first_seen=NOON), dated(*after), now=NOON)
    assert ids <= set(before) - set(after)
    assert len(ids) <= max(1, len(before) / 2)


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_feed_of_limited_length_withdraws_nothing(length, published, skipped):
    before, after = range(100, 100 + length), range(100 - published - skipped, 100 + length - published - skipped)
    assert withdrawn(listed(*before, first_seen=NOON), dated(*after), now=NOON) == set()


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 12))
def test_a_feed_with_a_window_of_time_withdraws_nothing(length, published, dropped):
    before, after = range(100, 100 + length), range(100 - published, 100 + length - dropped)
    assert withdrawn(listed(*before), dated(*after), now=NOON) == set()
