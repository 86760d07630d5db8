"""Cursors: how far a process has read in each issue's queue, so that a claim need not start at its head.

An issue's queue is an index range. Sent deliveries leave the index only when PostgreSQL vacuums, and a long snapshot,
such as a backup's, prevents that: without a cursor each claim would step over everything sent before. A cursor is only
a hint. It is dropped when nothing is due after it, when a claim fails, and every minute, so that a delivery that went
back to its old position waits no longer than that. A process without a cursor finds the same deliveries.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

CURSOR_SECONDS = 60.0  # after which a queue is read from its head again
# If nothing was due in a queue, it is skipped for 20 times as long as reading it took. So reading in vain takes at most
# a twentieth of the time.
SKIP_FACTOR = 20


class Cursor(NamedTuple):
    """The position of a delivery in its issue's queue."""

    due_at: datetime
    delivery: int


HEAD = Cursor(datetime.min.replace(tzinfo=UTC), 0)


class Cursors:
    """One process's cursors, and which issue is next. Queues are identified by their letter's id."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._cursors: dict[int, tuple[Cursor, float]] = {}  # with the time at which each expires
        self._skipped: dict[int, float] = {}  # queues with nothing due, and until when they are skipped
        self._empty: set[int] = set()  # queues that were read to the end in this run, with nothing due
        self._last = 0

    def begin(self) -> None:
        """Begin a send run: read every queue again, except those that take long to read."""
        now = self.monotonic()
        self._skipped = {queue: until for queue, until in self._skipped.items() if now < until}
        self._empty = set(self._skipped)

    def retry_all(self) -> None:
        """Read every queue again: a delivery went back to its position."""
        self._skipped.clear()

    def empty(self) -> list[int]:
        """Return the queues in which nothing was due when they were last read to the end, in this run or before.

        A delivery may have gone back since; the caller asks the database whether the issue is finished.
        """
        return list(self._empty)

    def reset(self) -> None:
        """Read every queue from its head."""
        self._cursors.clear()

    def order(self, queues: Iterable[int]) -> list[int]:
        """Return the queues to read, beginning after the last one served: a long issue delays no short one."""
        present = set(queues)
        self._cursors = {queue: cursor for queue, cursor in self._cursors.items() if queue in present}
        self._skipped = {queue: until for queue, until in self._skipped.items() if queue in present}
        self._empty &= present
        return sorted(present - self._skipped.keys(), key=lambda queue: (queue <= self._last, queue))

    def cursor(self, queue: int) -> Cursor:
        """Return the position after which the queue is to be read."""
        cursor, until = self._cursors.get(queue, (HEAD, 0.0))
        return cursor if self.monotonic() < until else HEAD

    def advance(self, queue: int, to: Cursor, *, after: Cursor) -> None:
        """Move a queue's cursor to the last delivery that was found after its old position."""
        until = self.monotonic() + CURSOR_SECONDS if after is HEAD else self._cursors[queue][1]
        self._cursors[queue], self._last = (to, until), queue
        self._empty.discard(queue)

    def found_nothing(self, queue: int, *, after: Cursor, since: float) -> bool:
        """Note that nothing is due after a position; return whether the whole queue was read, from `since` on."""
        self._cursors.pop(queue, None)
        if after is not HEAD:
            return False
        now = self.monotonic()
        self._skipped[queue] = now + SKIP_FACTOR * (now - since)
        self._empty.add(queue)
        return True
