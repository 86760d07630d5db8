"""Waiting for what another thread or process is about to do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SELDOM = 0.1  # seconds: whoever is waited for needs the processor more than whoever asks


def eventually(check: Callable[[], T], *, within: float = 5, every: float = 0.005) -> T:
    """The first true answer of `check`; fails when there was none `within` seconds.

    It is asked `every` so many seconds at first, and the less often the longer that takes.
    """
    begun = time.monotonic()
    while not (answer := check()):
        waited = time.monotonic() - begun
        assert waited < within, f"still {answer!r} after {within} seconds"
        time.sleep(max(every, min(waited / 20, SELDOM)))
    return answer
