"""The single-flight guard: one call at a time, and no call is lost."""

from collections.abc import Callable
from threading import Lock


class SingleFlight:
    """Runs `work` in one thread of the process at a time: a queue that is woken often must not fill every thread.

    If the queue is busy, a call sets a flag and returns; the running call then wakes the queue `again`, as it does when
    `work` returns that more is due. So no call is long, and none is lost.
    """

    def __init__(self, work: Callable[[], bool], again: Callable[[], None]) -> None:
        self._work = work
        self._again = again
        self._busy = Lock()
        self._was_called = False

    def __call__(self) -> None:
        """Do the work, unless another thread does it now."""
        self._was_called = True  # before the lock is tried: the running call reads it after releasing the lock
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._was_called = False
            more = self._work()
        finally:
            self._busy.release()
        if more or self._was_called:
            self._again()
