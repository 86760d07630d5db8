"""A function that is called every few seconds, from a thread of its own."""

from collections.abc import Callable
from threading import Event, Thread


class Repeating:
    """Calls `function` every so many seconds, from `start` until `close`. The function must not raise."""

    def __init__(self, function: Callable[[], object], *, every: float, name: str) -> None:
        self._function = function
        self._every = every
        self._closed = Event()
        self._thread = Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after the interval."""
        self._thread.start()

    def close(self) -> None:
        """Call no more; wait for a call that has begun, at most as long as an interval."""
        self._closed.set()
        if self._thread.ident:
            self._thread.join(self._every)

    def _repeat(self) -> None:
        while not self._closed.wait(self._every):
            self._function()
