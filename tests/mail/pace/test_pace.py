"""How fast a relay wants its letters, and how all who write to it keep to that together."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.pace.pace import LATE, SharedPace
from newsletter.mail.pace.shared_state import LocalSharedState
from newsletter.mail.transport.pacing import SteadyPace
from newsletter.mail.transport.transport import Outcome, Reply, Result
from newsletter.relays import Relay
from tests.clock import NOON
from tests.transports import Ticks

TAKEN = Result(1, 1, Outcome.TAKEN, Reply(250, "2.0.0", "ok"), NOON)
CLOSED = Result(1, 1, Outcome.LATER, Reply(421, "4.7.0", "Too many letters from you"), NOON)
UNAUTHENTICATED = Result(1, 1, Outcome.LATER, Reply(550, "5.7.26", "This mail is unauthenticated"), NOON)


def a_pace(board: LocalSharedState, ticks: Ticks, *, rate: float | None = None, urgent: bool = False) -> SharedPace:
    return SharedPace(board, Relay(host="relay.example", port=25, rate=rate), urgent=urgent, ticks=ticks)


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), max_size=100))
def test_a_steady_pace_never_goes_faster_than_its_rate(rate, pauses):
    ticks = Ticks()
    pace = SteadyPace(rate, ticks=ticks)
    begun = []
    for pause in pauses:
        ticks.now += pause + pace.delay()
        ticks.now += pace.delay()  # what is left of the wait for want of digits
        pace.begun()
        begun.append(ticks.now)
    assert all(later - earlier >= 0.999 / rate for earlier, later in pairwise(begun))


def test_without_a_rate_nobody_waits():
    pace = SteadyPace(None)
    for _ in range(1000):
        pace.begun()
    assert pace.delay() == 0
    assert pace.seats(20) == 20


@given(
    st.floats(0.5, 2000),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.02, 0.3, 2.0])), max_size=300),
)
def test_together_they_never_go_faster_than_the_relays_rate(rate, carriers, steps):
    """In any interval at most what the rate allows, what may be a moment late, and one more for each who carries."""
    ticks = Ticks()
    board = LocalSharedState(ticks)
    paces = [a_pace(board, ticks, rate=rate) for _ in range(carriers)]
    begun = []
    for carrier, pause in steps:
        ticks.now += pause
        pace = paces[carrier % carriers]
        if pace.delay() <= 0:
            pace.begun()
            begun.append(ticks.now)
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            length = begun[last] - begun[first]
            assert last - first + 1 <= rate * (length + LATE) * 1.001 + 2 + carriers


@given(st.sampled_from([0.5, 3.0, 14.0, 500.0]), st.integers(1, 4))
def test_together_they_go_as_fast_as_the_rate_allows(rate, carriers):
    ticks = Ticks()
    board = LocalSharedState(ticks)
    paces = [a_pace(board, ticks, rate=rate) for _ in range(carriers)]
    begun = 0
    end = ticks.now + 60
    while ticks.now < end:
        for pace in paces:
            if pace.delay() <= 0:
                pace.begun()
                begun += 1
        ticks.now += min(0.2 / rate, 0.01)
    assert 0.97 * rate * 60 - carriers <= begun <= 1.01 * rate * 60 + carriers + 1


def test_who_has_nothing_to_carry_takes_no_turns_from_the_others():
    ticks = Ticks()
    board = LocalSharedState(ticks)
    idle, busy = a_pace(board, ticks, rate=1), a_pace(board, ticks, rate=1)
    begun = 0
    for _ in range(6000):
        ticks.now += 0.01
        idle.delay()
        if busy.delay() <= 0:
            busy.begun()
            begun += 1
    assert begun >= 58


def test_letters_begun_without_a_turn_are_owed():
    ticks = Ticks()
    pace = a_pace(LocalSharedState(ticks), ticks, rate=10)
    assert pace.delay() == 0
    for _ in range(20):  # a postman with twenty connections asks once, and begins on each
        pace.begun()
    assert 1.7 < pace.delay() < 2.1


def test_a_relay_that_says_421_above_a_pace_is_written_to_at_about_that_pace():
    """Two carriers, a relay that takes 100 letters a second and no more."""
    ticks = Ticks()
    board = LocalSharedState(ticks)
    paces = [a_pace(board, ticks), a_pace(board, ticks)]
    second, in_it, taken, closed = 0, 0, 0, 0
    for _ in range(60_000):
        ticks.now += 0.002
        for pace in paces:
            if pace.delay() > 0:
                continue
            pace.begun()
            if int(ticks.now) != second:
                second, in_it = int(ticks.now), 0
            in_it += 1
            if in_it <= 100:
                pace.heard(TAKEN)
            else:
                pace.heard(CLOSED)
            if ticks.now > 1060:  # a minute to find it
                taken, closed = taken + (in_it <= 100), closed + (in_it > 100)
    assert taken > 100 * 60 * 0.5
    assert closed < taken * 0.05


def test_all_let_a_relay_rest_that_refuses_and_only_urgent_letters_leave():
    ticks = Ticks()
    board = LocalSharedState(ticks)
    mine, theirs, urgent = a_pace(board, ticks), a_pace(board, ticks), a_pace(board, ticks, urgent=True)
    for _ in range(10):
        assert mine.delay() == 0
        mine.begun()
        mine.heard(UNAUTHENTICATED)
    ticks.now += 1
    assert 290 < mine.delay() <= 300
    assert 290 < theirs.delay() <= 300
    assert urgent.delay() == 0
    said, left = theirs.says()
    assert "550 5.7.26 This mail is unauthenticated" in said
    assert 290 < left <= 300
    ticks.now += 301
    assert theirs.delay() == 0
    theirs.begun()
    theirs.heard(TAKEN)
    ticks.now += 2
    assert (mine.delay(), mine.says()) == (0, None)


def test_who_is_slowed_down_says_so():
    ticks = Ticks()
    pace = a_pace(LocalSharedState(ticks), ticks, rate=20)
    assert pace.delay() == 0
    assert pace.says() is None
    pace.begun()
    pace.heard(CLOSED)
    ticks.now += timedelta(seconds=1).total_seconds()
    pace.delay()
    said, _ = pace.says()
    assert said.startswith("It asked us to slow down: at most ")
    assert "421 4.7.0 Too many letters from you" in said
