"""One call at a time, and none forgotten."""

import threading

import pytest

from workers.single_flight import SingleFlight


class Slow:
    """Work that lasts until it is let go."""

    def __init__(self, *more: bool) -> None:
        self.more = list(more)
        self.begun = threading.Semaphore(0)
        self.free = threading.Semaphore(0)
        self.calls = 0

    def __call__(self) -> bool:
        self.calls += 1
        self.begun.release()
        assert self.free.acquire(timeout=5)
        return self.more.pop()


@pytest.mark.parametrize(("more", "woken"), [(True, ["again"]), (False, [])])
def test_a_queue_in_which_more_is_due_is_woken_again(more, woken):
    slow, said = Slow(more), []
    slow.free.release()
    SingleFlight(slow, again=lambda: said.append("again"))()
    assert said == woken


def test_a_call_while_the_queue_is_busy_returns_and_is_not_forgotten():
    slow, said = Slow(False), []
    guard = SingleFlight(slow, again=lambda: said.append("again"))
    first = threading.Thread(target=guard)
    first.start()
    assert slow.begun.acquire(timeout=5)
    guard()
    guard()
    slow.free.release()
    first.join(5)
    assert slow.calls == 1
    assert said == ["again"]


def test_a_queue_is_free_again_after_a_failure():
    slow, said = Slow(), []  # which has no answer left
    guard = SingleFlight(slow, again=lambda: said.append("again"))
    for _ in range(2):
        slow.free.release()
        with pytest.raises(IndexError):
            guard()
    assert said == []
