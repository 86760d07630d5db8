"""How fast a relay wants its letters."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from newsletter.post.pace import Steady, wait
from tests.postmen import Ticks


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), max_size=100))
def test_a_steady_pace_never_goes_faster_than_its_rate(rate, pauses):
    ticks = Ticks()
    pace = Steady(rate, ticks=ticks)
    begun = []
    for pause in pauses:
        ticks.now += pause + pace.delay()
        ticks.now += pace.delay()  # what is left of the wait for want of digits
        pace.begun()
        begun.append(ticks.now)
    assert all(later - earlier >= 0.999 / rate for earlier, later in itertools.pairwise(begun))


def test_without_a_rate_nobody_waits():
    pace = Steady(None)
    for _ in range(1000):
        pace.begun()
    assert pace.delay() == 0
    assert pace.seats(20) == 20


def test_who_waits_asks_whether_to_stop():
    pace = Steady(0.001)
    pace.begun()
    answers = iter([False, False, True])
    assert wait(pace, lambda: next(answers)) is False
