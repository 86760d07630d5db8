"""Stride: how many deliveries to claim at a time."""

import time
from collections.abc import Callable
from math import inf

FIRST = 32  # deliveries in a process's first claim
MOST = 500
AIM = 0.5  # seconds of work in a claim: with one more claimed ahead, all of it begins within the two that it may take
EVIDENCE = 8  # letters after which a measure counts; or a whole claim, or the seconds of AIM


class BatchSize:
    """About half a second of work, as measured; at most twice as much as before, and half where letters came too late.

    So a relay that takes 14 letters a second is owed seven at a time, and few go back because they were not begun in
    time. Used by the thread that carries.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._since = ticks()
        self._carried = 0
        self._came_late = False
        self._speed = inf  # letters a second; not measured yet
        self.size = FIRST

    def begin(self) -> None:
        """A ring begins: the time since the last one was no work."""
        self._since, self._carried = self._ticks(), 0

    def carried(self) -> None:
        """A letter was carried, whatever became of it."""
        self._carried += 1

    def came_late(self) -> None:
        """A letter went back because it was not begun in time."""
        self._came_late = True

    def is_time(self, left: int) -> bool:
        """Whether to claim ahead while so many are left: at once where a claim is half a second's work, else later."""
        return self._speed < inf or left <= self.size // 2

    def next(self, seconds: float = inf, *, in_hand: int = 0) -> int:
        """How many to claim now, if `in_hand` are to be carried first and all is over after so many seconds."""
        passed = self._ticks() - self._since
        if self._came_late:
            self.size = max(1, self.size // 2)
            self.begin()
        elif self._carried >= min(EVIDENCE, self.size) or passed >= AIM:
            self._speed = max(self._carried, 1) / passed if passed else inf
            self.size = int(max(1, min(self.size * 2, self._speed * AIM, MOST)))
            self.begin()
        self._came_late = False
        if self._speed == inf:
            return self.size if seconds > 0 else 0
        return int(max(0, min(self.size, self._speed * seconds - in_hand)))
