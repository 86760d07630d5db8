"""How many deliveries are claimed at a time: what can be begun in time, and in this ring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.delivery.batch_size import AIM, FIRST, MOST, Stride
from tests.transports import Ticks


def carry(stride: Stride, ticks: Ticks, letters: int, *, rate: float) -> None:
    for _ in range(letters):
        ticks.now += 1 / rate
        stride.carried()


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def stride(ticks: Ticks) -> Stride:
    return Stride(ticks)


def test_a_process_begins_small_and_a_fast_relay_soon_gets_five_hundred_at_a_time(stride, ticks):
    sizes = []
    for _ in range(6):
        sizes.append(stride.next())
        carry(stride, ticks, sizes[-1], rate=10_000)
    assert sizes == [FIRST, 64, 128, 256, MOST, MOST]


@given(rate=st.floats(0.1, 900))
def test_a_claim_is_half_a_seconds_work_at_any_rate(rate):
    ticks = Ticks()
    stride = Stride(ticks)
    for _ in range(10):
        carry(stride, ticks, stride.next(), rate=rate)
    assert stride.next() == pytest.approx(max(1, rate * AIM), abs=1)


def test_half_as_many_are_claimed_where_letters_came_too_late(stride):
    stride.came_late()
    assert stride.next() == FIRST // 2
    assert stride.next() == FIRST // 2


def test_the_time_between_two_rings_is_no_work(stride, ticks):
    carry(stride, ticks, FIRST, rate=10_000)
    assert stride.next() == 64
    ticks.now += 3600
    stride.begin()
    assert stride.next() == 64


def test_no_more_is_claimed_than_is_carried_before_the_ring_ends(stride, ticks):
    carry(stride, ticks, FIRST, rate=100)
    assert stride.next(10) == 50
    assert stride.next(0.3, in_hand=20) == 10
    assert stride.next(0.3, in_hand=50) == 0


def test_before_the_first_measure_nothing_is_claimed_ahead_until_half_is_carried(stride, ticks):
    assert not stride.is_time(FIRST)
    assert stride.is_time(FIRST // 2)
    carry(stride, ticks, FIRST, rate=100)
    stride.next()
    assert stride.is_time(MOST)


def test_a_relay_that_stands_still_is_owed_one_letter_at_a_time_until_it_moves(stride, ticks):
    ticks.now += 60
    assert stride.next() == 1
    for _ in range(5):
        carry(stride, ticks, stride.size, rate=10_000)
        stride.next()
    assert stride.size == 32
