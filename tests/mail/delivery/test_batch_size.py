"""A claim is as large as what can begin in time and in this send run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.delivery.batch_size import INITIAL_SIZE, MAX_SIZE, TARGET_SECONDS, BatchSize
from tests.transports import FakeMonotonic


def send(batch_size: BatchSize, monotonic: FakeMonotonic, letters: int, *, rate: float) -> None:
    for _ in range(letters):
        monotonic.now += 1 / rate
        batch_size.count_attempt()


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def batch_size(monotonic: FakeMonotonic) -> BatchSize:
    return BatchSize(monotonic)


def test_a_process_begins_small_and_a_fast_relay_soon_gets_five_hundred_at_a_time(batch_size, monotonic):
    sizes = []
    for _ in range(6):
        sizes.append(batch_size.next())
        send(batch_size, monotonic, sizes[-1], rate=10_000)
    assert sizes == [INITIAL_SIZE, 64, 128, 256, MAX_SIZE, MAX_SIZE]


@given(rate=st.floats(0.1, 900))
def test_a_claim_is_half_a_second_of_work_at_any_rate(rate):
    monotonic = FakeMonotonic()
    batch_size = BatchSize(monotonic)
    for _ in range(10):
        send(batch_size, monotonic, batch_size.next(), rate=rate)
    assert batch_size.next() == pytest.approx(max(1, rate * TARGET_SECONDS), abs=1)


def test_the_batch_size_is_halved_after_letters_began_too_late(batch_size):
    batch_size.note_late()
    assert batch_size.next() == INITIAL_SIZE // 2
    assert batch_size.next() == INITIAL_SIZE // 2


def test_the_time_between_two_runs_does_not_count(batch_size, monotonic):
    send(batch_size, monotonic, INITIAL_SIZE, rate=10_000)
    assert batch_size.next() == 64
    monotonic.now += 3600
    batch_size.restart()
    assert batch_size.next() == 64


def test_no_more_is_claimed_than_can_be_sent_before_the_run_ends(batch_size, monotonic):
    send(batch_size, monotonic, INITIAL_SIZE, rate=100)
    assert batch_size.next(10) == 50
    assert batch_size.next(0.3, in_hand=20) == 10
    assert batch_size.next(0.3, in_hand=50) == 0


def test_before_the_first_measurement_nothing_is_claimed_ahead_until_half_is_sent(batch_size, monotonic):
    assert not batch_size.should_claim_ahead(INITIAL_SIZE)
    assert batch_size.should_claim_ahead(INITIAL_SIZE // 2)
    send(batch_size, monotonic, INITIAL_SIZE, rate=100)
    batch_size.next()
    assert batch_size.should_claim_ahead(MAX_SIZE)


def test_a_relay_that_takes_nothing_gets_one_letter_at_a_time_until_it_takes_some(batch_size, monotonic):
    monotonic.now += 60
    assert batch_size.next() == 1
    for _ in range(5):
        send(batch_size, monotonic, batch_size.size, rate=10_000)
        batch_size.next()
    assert batch_size.size == 32
