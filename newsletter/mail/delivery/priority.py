"""Priority: letters that a person waits for come before issues, also where both share one Python process.

A Python thread that has waited for the database gets the interpreter back only after the computing thread has held it
for 5 ms (`sys.getswitchinterval`). An issue at full speed always computes, and processing a sign-up takes twenty
statements: without priority, visitors who signed up meanwhile waited ten seconds and more.
"""

import time
from collections.abc import Callable
from math import inf

PAUSE_SECONDS = 0.001  # the time of three letters, and far less than a database takes to answer
MAX_HOLD_SECONDS = 3.0  # a confirmation whose relay takes minutes to reply needs no processor meanwhile


class UrgentPriority:
    """Held by the thread that sends urgent letters; the thread that sends an issue pauses for it before each letter."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._until = -inf

    def acquire(self) -> None:
        """Hold the priority for `MAX_HOLD_SECONDS` from now."""
        self._until = self._monotonic() + MAX_HOLD_SECONDS

    def release(self) -> None:
        """Give the priority up: no person waits for a letter any more."""
        self._until = -inf

    def give_way(self) -> None:
        """Pause for a millisecond if the priority is held; the holder needs no more to go on."""
        if self._monotonic() < self._until:
            self._sleep(PAUSE_SECONDS)
