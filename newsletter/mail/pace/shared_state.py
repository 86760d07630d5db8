"""The board: what all carriers know together of a relay or an issue. Nothing on it is missed when it is wiped.

A key names what is spoken of, such as "relay:mail.example.org:587" or "issue:12"; a recipient's domain could be one.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

KEPT = 7200.0  # seconds that notes are kept after their last change: twice the longest rest of a relay
MANY = 500  # notes on a board, from which on those that have had their time are thrown away
AHEAD = 100  # reservations that may wait in a row; more can only come of a clock that was set back


class PaceState(NamedTuple):
    """What stands under a key. Moments are seconds by the board's clock, which all who write on it share."""

    marks: str = ""  # what the last attempts came to, a letter each, the newest last (`marks`)
    limit: float | None = None  # letters a second, while it is slowed down
    aim: float = 0.0  # the pace that it is brought back to
    eased_at: float = 0.0  # when the limit was last changed
    rest_until: float = 0.0
    rests: int = 0  # in a row, without a good window of attempts in between
    is_on_trial: bool = False  # since a rest, until the first letter after it is decided
    why: str = ""  # what was said, when it was slowed down or sent to rest; no reader's address
    counted: int = 0  # attempts since `counted_since`
    counted_since: float = 0.0
    measured: float = 0.0  # attempts a second, in the span before


PaceChange = Callable[
    [PaceState, float], PaceState
]  # from what stands there, and the board's time, to what is to stand there


class SharedState(Protocol):
    """Shared by all carriers of a process, from any of its threads, and perhaps with other processes."""

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Take the next so many turns, of which there are `rate` a second; seconds until the first of them.

        Nobody else is given the same turns. Those that are not taken in time are gone.
        """

    def change(self, key: str, step: PaceChange) -> tuple[PaceState, float]:
        """Change what stands under a key in one step that nobody comes between; what stands there now, and the time.

        `step` may be called several times, and its last answer counts. Where many change the same at once, a step may
        come to nothing.
        """

    def company(self, key: str) -> int:
        """How many processes carry there at present, this one included. Who asks is counted for some seconds."""

    def close(self) -> None:
        """Leave all company."""


class LocalSharedState:
    """The board of a process that carries alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._notes: dict[str, tuple[PaceState, float]] = {}
        self._next: dict[str, float] = {}

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Take the next so many turns."""
        with self._lock:
            now, length = self._clock(), turns / rate
            start = max(now, self._next.get(key, now))
            if start - now > AHEAD * length:
                start = now
            self._next[key] = start + length
        return start - now

    def change(self, key: str, step: PaceChange) -> tuple[PaceState, float]:
        """Change what stands under a key."""
        with self._lock:
            now = self._clock()
            notes = step(self._read(key, now), now)
            self._write(key, notes, now)
        return notes, now

    def company(self, key: str) -> int:
        """Nobody else is there."""
        return 1

    def close(self) -> None:
        """There is no company to leave."""

    def remember(self, key: str, notes: PaceState) -> None:
        """Write down what is known from elsewhere."""
        with self._lock:
            self._write(key, notes, self._clock())

    def known(self, key: str) -> PaceState:
        """What stands under a key."""
        with self._lock:
            return self._read(key, self._clock())

    def _read(self, key: str, now: float) -> PaceState:
        notes, written_at = self._notes.get(key, (PaceState(), now))
        return notes if abs(now - written_at) < KEPT else PaceState()

    def _write(self, key: str, notes: PaceState, now: float) -> None:
        self._notes[key] = notes, now
        if len(self._notes) > MANY:
            self._notes = {name: kept for name, kept in self._notes.items() if abs(now - kept[1]) < KEPT}
