"""Calls run one at a time, and none is lost."""

import threading

import pytest

from tests.waiting import TIMEOUT
from workers.single_flight import SingleFlight


class Slow:
    """Work that lasts until the test releases it."""

    def __init__(self, *more: bool) -> None:
        self.more = list(more)
        self.begun = threading.Semaphore(0)
        self.free = threading.Semaphore(0)
        self.calls = 0

    def __call__(self) -> bool:
        self.calls += 1
        self.begun.release()
        assert self.free.acquire(timeout=TIMEOUT)
        return self.more.pop()


@pytest.mark.parametrize(("more", "woken"), [(True, ["again"]), (False, [])])
def test_a_queue_with_more_due_is_woken_again(more, woken):
    slow, wakes = Slow(more), []
    slow.free.release()
    SingleFlight(slow, again=lambda: wakes.append("again"))()
    assert wakes == woken


def test_a_call_while_the_queue_is_busy_returns_and_causes_another_run():
    slow, wakes = Slow(False), []
    guard = SingleFlight(slow, again=lambda: wakes.append("again"))
    first = threading.Thread(target=guard)
    first.start()
    assert slow.begun.acquire(timeout=TIMEOUT)
    guard()
    guard()
    slow.free.release()
    first.join(TIMEOUT)
    assert slow.calls == 1
    assert wakes == ["again"]


def test_a_queue_is_free_again_after_a_failure():
    slow, wakes = Slow(), []  # raises IndexError
    guard = SingleFlight(slow, again=lambda: wakes.append("again"))
    for _ in range(2):
        slow.free.release()
        with pytest.raises(IndexError):
            guard()
    assert wakes == []
