"""Right of way: who waits for a letter comes before an issue, also where both share one interpreter.

Python's threads take turns at it, and one that has waited for a database gets its turn only when the one that computes
has had it for 5 ms (`sys.getswitchinterval`). An issue that leaves at full speed computes all the time, and to answer a
sign-up takes twenty statements: it took half a second, and sign-ups that come faster than two a second waited in line.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

NAP = 0.001  # seconds: three letters' time, and far less than a database takes to answer
LONGEST = 3.0  # seconds: a confirmation whose relay thinks about it for minutes computes nothing


class RightOfWay:
    """Taken by one thread, given by another, for each letter."""

    def __init__(
        self, *, ticks: Callable[[], float] = time.monotonic, nap: Callable[[float], None] = time.sleep
    ) -> None:
        self._ticks = ticks
        self._nap = nap
        self._until = -inf

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While the block lasts, but not longer than three seconds, whoever gives way does so."""
        self._until = self._ticks() + LONGEST
        try:
            yield
        finally:
            self._until = -inf

    def give(self) -> None:
        """Pause for a millisecond if somebody has it; in that time they get all that they need."""
        if self._ticks() < self._until:
            self._nap(NAP)
