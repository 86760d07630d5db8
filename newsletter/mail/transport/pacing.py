"""When a transport may begin the next message: the Pace protocol, and the pace of a relay that nobody else uses."""

import time
from collections.abc import Callable
from typing import Protocol

from newsletter.mail.transport.transport import Result
from newsletter.relays import Relay


class Pace(Protocol):
    """One relay's pace, as one postman keeps it: from one thread, and cheap enough to be asked for every letter."""

    def delay(self) -> float:
        """Seconds until a letter may begin, 0 for now. Finite also while the relay rests. Never blocks noticeably."""

    def begun(self) -> None:
        """A letter begins: its MAIL FROM is about to be written."""

    def heard(self, report: Result) -> None:
        """What the relay made of a letter: it may slow down, rest, or speed up again."""

    def seats(self, most: int) -> int:
        """How many of the relay's `most` connections this process may hold, at least one: all workers share them."""


class SteadyPace:
    """The pace of a relay that nobody else writes to, and that never complains: its rate in letters a second."""

    def __init__(self, rate: float | None, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._ticks = ticks
        self._next = ticks()

    def delay(self) -> float:
        """Seconds until the next letter's turn."""
        return max(0.0, self._next - self._ticks()) if self._interval else 0.0

    def begun(self) -> None:
        """The next letter waits its turn; turns that nobody took are gone."""
        if self._interval:
            self._next = max(self._next, self._ticks()) + self._interval

    def heard(self, report: Result) -> None:
        """Nothing changes this pace."""

    def seats(self, most: int) -> int:
        """All of them: nobody else is there."""
        return most


def steady(relay: Relay) -> Pace:
    """The pace that a relay's URL says, for who writes to it alone."""
    return SteadyPace(relay.rate)
