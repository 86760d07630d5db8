"""Call a function every few seconds from a thread of its own."""

from collections.abc import Callable
from threading import Event, Thread


class Repeating:
    """Calls `function`, which must not raise, every `every` seconds from `start` until `close`."""

    def __init__(self, function: Callable[[], object], *, every: float, name: str) -> None:
        self._function = function
        self._every = every
        self._closed = Event()
        self._thread = Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        """Start; the first call comes after one interval."""
        self._thread.start()

    def close(self) -> None:
        """Stop; wait at most one interval for a running call."""
        self._closed.set()
        if self._thread.ident:
            self._thread.join(self._every)

    def _repeat(self) -> None:
        while not self._closed.wait(self._every):
            self._function()
