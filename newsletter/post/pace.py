"""Pace: how fast a relay wants its letters."""

import threading
import time
from collections.abc import Callable

NAP = 0.1  # seconds after which a wait asks again whether to stop


class Pace:
    """At most `rate` letters a second, by the monotonic clock; shared by all who write to the relay."""

    def __init__(self, rate: float | None) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, stop: Callable[[], bool]) -> bool:
        """Wait until a letter may begin; False as soon as there is to be none."""
        while not stop():
            left = self._next - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, NAP))
        return False

    def begun(self, at: float) -> None:
        """A letter began at that moment: the next one waits its turn."""
        with self._lock:
            self._next = max(self._next, at) + self._interval
