"""How many deliveries are claimed at a time: what can be begun in time, and in this ring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.delivery.batch_size import AIM, FIRST, MOST, BatchSize
from tests.transports import FakeMonotonic


def carry(batch_size: BatchSize, ticks: FakeMonotonic, letters: int, *, rate: float) -> None:
    for _ in range(letters):
        ticks.now += 1 / rate
        batch_size.carried()


@pytest.fixture
def ticks() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def batch_size(ticks: FakeMonotonic) -> BatchSize:
    return BatchSize(ticks)


def test_a_process_begins_small_and_a_fast_relay_soon_gets_five_hundred_at_a_time(batch_size, ticks):
    sizes = []
    for _ in range(6):
        sizes.append(batch_size.next())
        carry(batch_size, ticks, sizes[-1], rate=10_000)
    assert sizes == [FIRST, 64, 128, 256, MOST, MOST]


@given(rate=st.floats(0.1, 900))
def test_a_claim_is_half_a_seconds_work_at_any_rate(rate):
    ticks = FakeMonotonic()
    batch_size = BatchSize(ticks)
    for _ in range(10):
        carry(batch_size, ticks, batch_size.next(), rate=rate)
    assert batch_size.next() == pytest.approx(max(1, rate * AIM), abs=1)


def test_half_as_many_are_claimed_where_letters_came_too_late(batch_size):
    batch_size.came_late()
    assert batch_size.next() == FIRST // 2
    assert batch_size.next() == FIRST // 2


def test_the_time_between_two_rings_is_no_work(batch_size, ticks):
    carry(batch_size, ticks, FIRST, rate=10_000)
    assert batch_size.next() == 64
    ticks.now += 3600
    batch_size.begin()
    assert batch_size.next() == 64


def test_no_more_is_claimed_than_is_carried_before_the_ring_ends(batch_size, ticks):
    carry(batch_size, ticks, FIRST, rate=100)
    assert batch_size.next(10) == 50
    assert batch_size.next(0.3, in_hand=20) == 10
    assert batch_size.next(0.3, in_hand=50) == 0


def test_before_the_first_measure_nothing_is_claimed_ahead_until_half_is_carried(batch_size, ticks):
    assert not batch_size.is_time(FIRST)
    assert batch_size.is_time(FIRST // 2)
    carry(batch_size, ticks, FIRST, rate=100)
    batch_size.next()
    assert batch_size.is_time(MOST)


def test_a_relay_that_stands_still_is_owed_one_letter_at_a_time_until_it_moves(batch_size, ticks):
    ticks.now += 60
    assert batch_size.next() == 1
    for _ in range(5):
        carry(batch_size, ticks, batch_size.size, rate=10_000)
        batch_size.next()
    assert batch_size.size == 32
