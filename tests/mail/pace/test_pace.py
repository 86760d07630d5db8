"""How fast a relay accepts messages, and how all workers keep to that pace together."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.pace.pace import LATE_SECONDS, SharedPace
from newsletter.mail.pace.shared_state import LocalSharedState
from newsletter.mail.transport.pacing import SteadyPace
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.relays import Relay
from tests.clock import NOON
from tests.transports import FakeMonotonic

TAKEN = Result(1, 1, Outcome.TAKEN, Reply(250, "2.0.0", "ok"), NOON)
CLOSED = Result(1, 1, Outcome.LATER, Reply(421, "4.7.0", "Too many letters from you"), NOON)
UNAUTHENTICATED = Result(1, 1, Outcome.LATER, Reply(550, "5.7.26", "This mail is unauthenticated"), NOON)


def a_pace(
    shared_state: LocalSharedState, monotonic: FakeMonotonic, *, rate: float | None = None, urgent: bool = False
) -> SharedPace:
    return SharedPace(shared_state, Relay(host="relay.example", port=25, rate=rate), urgent=urgent, monotonic=monotonic)


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), max_size=100))
def test_a_steady_pace_never_goes_faster_than_its_rate(rate, pauses):
    monotonic = FakeMonotonic()
    pace = SteadyPace(rate, monotonic=monotonic)
    begun = []
    for pause in pauses:
        monotonic.now += pause + pace.delay()
        monotonic.now += pace.delay()  # the rest of the delay, lost to floating-point precision
        pace.message_begun()
        begun.append(monotonic.now)
    assert all(later - earlier >= 0.999 / rate for earlier, later in pairwise(begun))


def test_without_a_rate_there_is_no_delay():
    pace = SteadyPace(None)
    for _ in range(1000):
        pace.message_begun()
    assert pace.delay() == 0
    assert pace.connection_limit(20) == 20


@given(
    st.floats(0.5, 2000),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.02, 0.3, 2.0])), max_size=300),
)
def test_all_workers_together_never_exceed_the_relays_rate(rate, workers, steps):
    """Any interval has at most what the rate allows, the turns that may be a moment late, and one per worker."""
    monotonic = FakeMonotonic()
    shared_state = LocalSharedState(monotonic)
    paces = [a_pace(shared_state, monotonic, rate=rate) for _ in range(workers)]
    begun = []
    for worker, pause in steps:
        monotonic.now += pause
        pace = paces[worker % workers]
        if pace.delay() <= 0:
            pace.message_begun()
            begun.append(monotonic.now)
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            length = begun[last] - begun[first]
            assert last - first + 1 <= rate * (length + LATE_SECONDS) * 1.001 + 2 + workers


@given(st.sampled_from([0.5, 3.0, 14.0, 500.0]), st.integers(1, 4))
def test_all_workers_together_reach_the_relays_rate(rate, workers):
    monotonic = FakeMonotonic()
    shared_state = LocalSharedState(monotonic)
    paces = [a_pace(shared_state, monotonic, rate=rate) for _ in range(workers)]
    begun = 0
    end = monotonic.now + 60
    while monotonic.now < end:
        for pace in paces:
            if pace.delay() <= 0:
                pace.message_begun()
                begun += 1
        monotonic.now += min(0.2 / rate, 0.01)
    assert 0.97 * rate * 60 - workers <= begun <= 1.01 * rate * 60 + workers + 1


def test_an_idle_worker_takes_no_turns_from_the_others():
    monotonic = FakeMonotonic()
    shared_state = LocalSharedState(monotonic)
    idle, busy = a_pace(shared_state, monotonic, rate=1), a_pace(shared_state, monotonic, rate=1)
    begun = 0
    for _ in range(6000):
        monotonic.now += 0.01
        idle.delay()
        if busy.delay() <= 0:
            busy.message_begun()
            begun += 1
    assert begun >= 58


def test_messages_begun_without_a_turn_are_made_up_for():
    monotonic = FakeMonotonic()
    pace = a_pace(LocalSharedState(monotonic), monotonic, rate=10)
    assert pace.delay() == 0
    for _ in range(20):  # a transport with twenty connections asks once, and begins a message on each
        pace.message_begun()
    assert 1.7 < pace.delay() < 2.1


def test_a_relay_that_replies_421_above_a_rate_gets_messages_at_about_that_rate():
    """Two workers, and a relay that takes at most 100 letters a second."""
    monotonic = FakeMonotonic()
    shared_state = LocalSharedState(monotonic)
    paces = [a_pace(shared_state, monotonic), a_pace(shared_state, monotonic)]
    second, in_second, taken, closed = 0, 0, 0, 0
    for _ in range(60_000):
        monotonic.now += 0.002
        for pace in paces:
            if pace.delay() > 0:
                continue
            pace.message_begun()
            if int(monotonic.now) != second:
                second, in_second = int(monotonic.now), 0
            in_second += 1
            if in_second <= 100:
                pace.record(TAKEN)
            else:
                pace.record(CLOSED)
            if monotonic.now > 1060:  # a minute to find it
                taken, closed = taken + (in_second <= 100), closed + (in_second > 100)
    assert taken > 100 * 60 * 0.5
    assert closed < taken * 0.05


def test_while_a_relay_rests_only_urgent_messages_leave():
    monotonic = FakeMonotonic()
    shared_state = LocalSharedState(monotonic)
    mine, theirs = a_pace(shared_state, monotonic), a_pace(shared_state, monotonic)
    urgent = a_pace(shared_state, monotonic, urgent=True)
    for _ in range(10):
        assert mine.delay() == 0
        mine.message_begun()
        mine.record(UNAUTHENTICATED)
    monotonic.now += 1
    assert 290 < mine.delay() <= 300
    assert 290 < theirs.delay() <= 300
    assert urgent.delay() == 0
    reason, left = theirs.slowdown()
    assert "550 5.7.26 This mail is unauthenticated" in reason
    assert 290 < left <= 300
    monotonic.now += 301
    assert theirs.delay() == 0
    theirs.message_begun()
    theirs.record(TAKEN)
    monotonic.now += 2
    assert (mine.delay(), mine.slowdown()) == (0, None)


def test_a_throttled_relay_reports_its_limit_and_the_reply():
    monotonic = FakeMonotonic()
    pace = a_pace(LocalSharedState(monotonic), monotonic, rate=20)
    assert pace.delay() == 0
    assert pace.slowdown() is None
    pace.message_begun()
    pace.record(CLOSED)
    monotonic.now += timedelta(seconds=1).total_seconds()
    pace.delay()
    reason, _ = pace.slowdown()
    assert reason.startswith("It asked us to slow down: at most ")
    assert "421 4.7.0 Too many letters from you" in reason
