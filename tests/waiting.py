"""Wait for another thread or process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 120  # seconds that only a hang reaches: a loaded machine has taken forty to start three programs
MAX_INTERVAL = 0.1  # seconds between checks; longer waits poll less often, to leave the processor to the others


def eventually(check: Callable[[], T], *, within: float = TIMEOUT, every: float = 0.005) -> T:
    """Return the first true result of `check`; fail if there is none `within` seconds.

    It checks `every` so many seconds at first, then less and less often.
    """
    started_at = time.monotonic()
    while not (result := check()):
        waited = time.monotonic() - started_at
        assert waited < within, f"still {result!r} after {within} seconds"
        time.sleep(max(every, min(waited / 20, MAX_INTERVAL)))
    return result
