"""The state that all workers share about relays. Losing it is harmless.

A key names the subject, such as "relay:mail.example.org:587"; it could be a recipient's domain.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

LIFETIME_SECONDS = 7200.0  # of a state after its last change: twice the longest rest of a relay
CLEAN_UP_SIZE = 500  # states in memory, above which expired ones are deleted
MAX_RESERVATIONS_AHEAD = 100  # waiting reservations; there are more only after a clock was set back


class PaceState(NamedTuple):
    """The state under a key. Times are seconds of the shared state's clock, the same for all workers.

    The field names are keys of the JSON in Redis, so they stay the same between releases.
    """

    marks: str = ""  # codes of the last outcomes, the newest last (`attempt_window`)
    limit: float | None = None  # messages a second, while the relay is throttled
    aim: float = 0.0  # the rate to return to
    eased_at: float = 0.0  # when `limit` was last changed (also when it was lowered)
    rest_until: float = 0.0
    rests: int = 0  # in a row, without a full window of good attempts in between
    is_on_trial: bool = False  # since a rest, until the first message after it has an outcome
    why: str = ""  # the reply that caused the throttling or the rest; no reader's address
    counted: int = 0  # attempts since `counted_since`
    counted_since: float = 0.0
    measured: float = 0.0  # attempts a second, in the period before


# From the current state and the shared time to the new state.
PaceChange = Callable[[PaceState, float], PaceState]


class SharedState(Protocol):
    """Shared by all threads of a process, and possibly with other processes."""

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Reserve the next `turns` turns, of which there are `rate` a second; return the seconds until the first one.

        No other process gets the same turns. Turns that are not used in time are lost.
        """

    def change(self, key: str, change: PaceChange) -> tuple[PaceState, float]:
        """Change the state under a key atomically; return the new state and the shared time.

        `change` may be called several times; its last result counts. If many processes change the same key at once, a
        change may be dropped.
        """

    def process_count(self, key: str) -> int:
        """Return how many processes send there at present, including this one, which is counted for some seconds."""

    def close(self) -> None:
        """Stop being counted as a process, and close connections."""


class LocalSharedState:
    """The state of a process that sends alone, in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, tuple[PaceState, float]] = {}  # with the time of the last change
        self._next: dict[str, float] = {}  # the time of the next free turn

    def reserve(self, key: str, *, rate: float, turns: int) -> float:
        """Reserve the next turns."""
        with self._lock:
            now, length = self._clock(), turns / rate
            start = max(now, self._next.get(key, now))
            if start - now > MAX_RESERVATIONS_AHEAD * length:
                start = now
            self._next[key] = start + length
        return start - now

    def change(self, key: str, change: PaceChange) -> tuple[PaceState, float]:
        """Change the state under a key."""
        with self._lock:
            now = self._clock()
            state = change(self._get(key, now), now)
            self._set(key, state, now)
        return state, now

    def process_count(self, key: str) -> int:
        """Return 1: this process sends alone."""
        return 1

    def close(self) -> None:
        """Do nothing: no other process counts this one."""

    def set(self, key: str, state: PaceState) -> None:
        """Set a state that was read elsewhere."""
        with self._lock:
            self._set(key, state, self._clock())

    def get(self, key: str) -> PaceState:
        """Return the state under a key; the default state if there is none."""
        with self._lock:
            return self._get(key, self._clock())

    def _get(self, key: str, now: float) -> PaceState:
        state, changed_at = self._states.get(key, (PaceState(), now))
        return state if abs(now - changed_at) < LIFETIME_SECONDS else PaceState()

    def _set(self, key: str, state: PaceState, now: float) -> None:
        self._states[key] = state, now
        if len(self._states) > CLEAN_UP_SIZE:
            self._states = {name: each for name, each in self._states.items() if abs(now - each[1]) < LIFETIME_SECONDS}
