"""Right of way: who waits for a letter comes before an issue, also where both share one interpreter.

Python's threads take turns at it, and one that has waited for a database gets its turn only when the one that computes
has had it for 5 ms (`sys.getswitchinterval`). An issue that leaves at full speed computes all the time, and to answer a
sign-up takes twenty statements: who signed up meanwhile stood in line for ten seconds and more.
"""

import time
from collections.abc import Callable
from math import inf

NAP = 0.001  # seconds: three letters' time, and far less than a database takes to answer
LONGEST = 3.0  # seconds: a confirmation whose relay thinks about it for minutes computes nothing


class UrgentPriority:
    """Taken by one thread, given by another, for each letter."""

    def __init__(
        self, *, ticks: Callable[[], float] = time.monotonic, nap: Callable[[float], None] = time.sleep
    ) -> None:
        self._ticks = ticks
        self._nap = nap
        self._until = -inf

    def take(self) -> None:
        """Let whoever gives way do so for the next three seconds; taken again, it lasts so long from then."""
        self._until = self._ticks() + LONGEST

    def let_go(self) -> None:
        """Nobody waits for a letter any more."""
        self._until = -inf

    def give(self) -> None:
        """Pause for a millisecond if somebody has it; in that time they get all that they need."""
        if self._ticks() < self._until:
            self._nap(NAP)
