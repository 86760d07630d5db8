"""When a transport may begin the next message: the Pace protocol, and the pace of a single process."""

import time
from collections.abc import Callable
from typing import Protocol

from newsletter.mail.transport.transport import Result
from newsletter.relays import Relay


class Pace(Protocol):
    """The pace of one relay for one transport: used from one thread, and cheap enough to ask before every message."""

    def delay(self) -> float:
        """Return the seconds until a message may begin, 0 for now.

        The value is finite, also while the relay rests. The call never blocks noticeably.
        """

    def message_begun(self) -> None:
        """Count a message whose MAIL FROM is about to be written."""

    def record(self, result: Result) -> None:
        """Learn from a result: the pace may slow down, rest, or recover."""

    def connection_limit(self, limit: int) -> int:
        """Return how many of `limit` connections, which all workers share, this process may open; at least 1."""


class SteadyPace:
    """The pace of a relay that no other process uses and that never objects: its rate in messages a second."""

    def __init__(self, rate: float | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._monotonic = monotonic
        self._next = monotonic()

    def delay(self) -> float:
        """Return the seconds until the next message's turn."""
        return max(0.0, self._next - self._monotonic()) if self._interval else 0.0

    def message_begun(self) -> None:
        """Move on to the next turn; unused turns do not accumulate."""
        if self._interval:
            self._next = max(self._next, self._monotonic()) + self._interval

    def record(self, result: Result) -> None:
        """Ignore the result: nothing changes this pace."""

    def connection_limit(self, limit: int) -> int:
        """Return the whole limit: no other process uses the relay."""
        return limit


def steady(relay: Relay) -> Pace:
    """Return the pace that a relay's URL sets, for a single process."""
    return SteadyPace(relay.rate)
