"""Letters of issues make room for those that somebody waits for, and not for longer than it helps."""

import pytest

from newsletter.mail.delivery.priority import LONGEST, NAP, UrgentPriority


class Road:
    """A right of way in a time of its own, in which whoever gives way pauses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.priority = UrgentPriority(ticks=lambda: self.now, nap=self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def given(self) -> float:
        """Seconds that were given to somebody."""
        before = self.now
        self.priority.give()
        return self.now - before


@pytest.fixture
def road():
    return Road()


def test_where_nobody_waits_nobody_pauses(road):
    assert road.given() == 0


def test_while_somebody_is_answered_each_letter_of_an_issue_pauses(road):
    road.priority.take()
    assert road.given() == pytest.approx(NAP)
    assert road.given() == pytest.approx(NAP)
    road.priority.let_go()
    assert road.given() == 0


def test_a_confirmation_whose_relay_thinks_for_minutes_slows_no_issue_down_all_that_time(road):
    road.priority.take()
    road.now += LONGEST
    assert road.given() == 0


def test_as_long_as_there_are_others_to_be_answered_it_is_taken_again(road):
    road.priority.take()
    road.now += LONGEST / 2
    road.priority.take()
    road.now += LONGEST / 2
    assert road.given() > 0
