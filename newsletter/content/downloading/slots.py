"""Threads that download side by side, of which a slow one delays no other."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from time import monotonic
from typing import NamedTuple

from newsletter.redaction import log_failure

SLOW_SECONDS = 2.0  # after which a download is slow, and gives its slot to another
MAX_WAIT = 120.0  # seconds for a download to end by its own limits, which are shorter
CHECK_INTERVAL = 0.2  # seconds between two looks at `stop` and at what has become slow

log = logging.getLogger(__name__)


class FreeSlots(NamedTuple):
    """How many pieces of work may begin now, and how many of these may be costly."""

    number: int
    costly: int


@dataclass(frozen=True, eq=False)
class SlotWork:
    """One piece of work: download something and record it. It is costly if it may take as long as the limits allow."""

    run: Callable[[], None]
    is_costly: bool = False


Claim = Callable[[FreeSlots], Sequence[SlotWork]]


@dataclass
class SlotCall:
    """One call of `run`: the work that it began and that has not ended, and the first error."""

    until: float  # by the monotonic clock
    unfinished: int = 0
    finished: int = 0
    error: Exception | None = None
    has_returned: bool = field(default=False)


class DownloadSlots:
    """Slots of this process, each with one piece of work, in a thread of its own.

    Work that has taken `slow_after` seconds gives its slot back and goes on beside `slow` others at most; costly work
    uses `costly` slots at most, however long it takes. Work that is unfinished when its call ends goes on by itself. So
    neither a call nor other work waits for the slowest. Once `stop` is set, no work begins.
    """

    def __init__(
        self,
        number: int,
        *,
        slow: int = 0,
        costly: int | None = None,
        stop: Event | None = None,
        slow_after: float = SLOW_SECONDS,
    ) -> None:
        self._number = number
        self._slow = slow
        self._slow_after = slow_after
        self._costly = number if costly is None else costly
        self._stop = stop or Event()
        self._changed = Condition()
        self._running: dict[SlotWork, float] = {}  # and when each began, by the monotonic clock

    def run(self, claim: Claim, *, seconds: float, limit: int | None = None) -> int:
        """Claim work for free slots and do it, until none is left; return how many pieces began, at most `limit`.

        Returns after `seconds` in any case. `claim` is called in this thread and returns at most as much as is free.
        Raises the first error of work that has ended.
        """
        call, begun = SlotCall(monotonic() + seconds), 0
        while free := self._wait_for_slots(call):
            left = free.number if limit is None else min(free.number, limit - begun)
            finished = call.finished
            works = claim(FreeSlots(left, min(left, free.costly))) if left else ()
            for work in works:
                self._begin(work, call)
            begun += len(works)
            if not works and not self._wait_for_change(call, finished):
                break
        return self._result(call, begun)

    def wait(self, seconds: float) -> bool:
        """Wait until no work is left, at most so many seconds; return whether none is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def _wait_for_slots(self, call: SlotCall) -> FreeSlots | None:
        """Return the free slots once there is one; None if the call has to end."""
        with self._changed:
            self._wait(call, lambda: self._free() > 0)
            if self._is_over(call):
                return None
            return FreeSlots(self._free(), max(0, self._costly - sum(work.is_costly for work in self._running)))

    def _free(self) -> int:
        slow = sum(monotonic() - began > self._slow_after for began in self._running.values())
        return self._number - len(self._running) + min(slow, self._slow)

    def _wait_for_change(self, call: SlotCall, finished: int) -> bool:
        """Wait until one more piece of the call's work has ended; return False if none is left."""
        with self._changed:
            self._wait(call, lambda: call.finished > finished or not call.unfinished)
            return call.finished > finished and not self._is_over(call)

    def _wait(self, call: SlotCall, condition: Callable[[], bool]) -> None:
        while not condition() and not self._is_over(call):
            self._changed.wait(min(CHECK_INTERVAL, max(call.until - monotonic(), 0)))

    def _is_over(self, call: SlotCall) -> bool:
        return self._stop.is_set() or call.error is not None or monotonic() >= call.until

    def _begin(self, work: SlotWork, call: SlotCall) -> None:
        with self._changed:
            self._running[work] = monotonic()
            call.unfinished += 1
        Thread(target=self._do, args=(work, call), name="download", daemon=True).start()

    def _do(self, work: SlotWork, call: SlotCall) -> None:
        error: Exception | None = None
        try:
            work.run()
        except Exception as raised:  # noqa: BLE001 - `run` raises it, unless it has returned
            error = raised
        with self._changed:
            del self._running[work]
            call.unfinished -= 1
            call.finished += 1
            is_reported = not call.has_returned and call.error is None
            if is_reported:
                call.error = error
            self._changed.notify_all()
        if error and not is_reported:
            log_failure(log, "a download's result cannot be stored", error)

    def _result(self, call: SlotCall, begun: int) -> int:
        with self._changed:
            call.has_returned = True
        if call.error:
            raise call.error
        return begun
