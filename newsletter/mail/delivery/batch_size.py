"""Decide how many deliveries the next claim takes."""

import time
from collections.abc import Callable
from math import inf

INITIAL_SIZE = 32  # deliveries in a process's first claim
MAX_SIZE = 500  # deliveries
# A claim is half a second of work. So all letters of two claims, the current one and the one claimed ahead, begin
# within the two seconds that `assembly.BEGIN_WITHIN` allows.
TARGET_SECONDS = 0.5
MIN_SAMPLE = 8  # attempts after which a measurement counts; a whole claim or TARGET_SECONDS also suffice


class BatchSize:
    """Half a second of work as measured; at most double the size before, and half of it after letters began too late.

    So a relay that takes 14 letters a second gets seven at a time, and few are released because they did not begin in
    time. Used by the sending thread only.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since = monotonic()
        self._attempts = 0
        self._was_late = False
        self._rate = inf  # letters a second; not measured yet
        self.size = INITIAL_SIZE

    def restart(self) -> None:
        """Begin a new measurement, such as at the start of a send run: the time since the last one was idle."""
        self._since, self._attempts = self._monotonic(), 0

    def count_attempt(self) -> None:
        """Count a letter that was sent, whatever the outcome."""
        self._attempts += 1

    def note_late(self) -> None:
        """Note that a letter was released because it did not begin in time."""
        self._was_late = True

    def should_claim_ahead(self, remaining: int) -> bool:
        """Return whether to claim ahead while so many letters remain.

        Once the rate is measured and a claim is half a second of work, always; before, when half of them are sent.
        """
        return self._rate < inf or remaining <= self.size // 2

    def next(self, seconds: float = inf, *, in_hand: int = 0) -> int:
        """Return the size of the next claim, if `in_hand` letters come first and the run ends after `seconds`."""
        passed = self._monotonic() - self._since
        if self._was_late:
            self.size = max(1, self.size // 2)
            self.restart()
        elif self._attempts >= min(MIN_SAMPLE, self.size) or passed >= TARGET_SECONDS:
            self._rate = max(self._attempts, 1) / passed if passed else inf
            self.size = int(max(1, min(self.size * 2, self._rate * TARGET_SECONDS, MAX_SIZE)))
            self.restart()
        self._was_late = False
        if self._rate == inf:
            return self.size if seconds > 0 else 0
        return int(max(0, min(self.size, self._rate * seconds - in_hand)))
