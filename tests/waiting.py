"""Waiting for what another thread or process is about to do."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, within: float = 5, every: float = 0.005) -> T:
    """The first true answer of `check`, asked `every` so many seconds; fails when there was none `within` seconds."""
    deadline = time.monotonic() + within
    while not (answer := check()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within} seconds"
        time.sleep(every)
    return answer
