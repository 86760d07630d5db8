"""Letters of issues pause for letters that a person waits for, but no longer than it helps."""

import pytest

from newsletter.mail.delivery.priority import MAX_HOLD_SECONDS, PAUSE_SECONDS, UrgentPriority


class PriorityClock:
    """A priority with a clock of its own, which a pause moves forward."""

    def __init__(self) -> None:
        self.now = 100.0
        self.priority = UrgentPriority(monotonic=lambda: self.now, sleep=self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def paused(self) -> float:
        """Return how many seconds a letter of an issue pauses."""
        before = self.now
        self.priority.give_way()
        return self.now - before


@pytest.fixture
def clock():
    return PriorityClock()


def test_nothing_pauses_while_no_urgent_letter_waits(clock):
    assert clock.paused() == 0


def test_each_letter_of_an_issue_pauses_while_urgent_letters_are_sent(clock):
    clock.priority.acquire()
    assert clock.paused() == pytest.approx(PAUSE_SECONDS)
    assert clock.paused() == pytest.approx(PAUSE_SECONDS)
    clock.priority.release()
    assert clock.paused() == 0


def test_a_confirmation_whose_relay_takes_minutes_does_not_slow_issues_down_for_minutes(clock):
    clock.priority.acquire()
    clock.now += MAX_HOLD_SECONDS
    assert clock.paused() == 0


def test_acquiring_the_priority_again_extends_it(clock):
    clock.priority.acquire()
    clock.now += MAX_HOLD_SECONDS / 2
    clock.priority.acquire()
    clock.now += MAX_HOLD_SECONDS / 2
    assert clock.paused() > 0
