"""What a part of the program collects: what is wrong, and what else to report."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """A part of the program, performed step by step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []
        self.notes: list[str] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Note what fails in the block, and go on."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what comes after it is of interest all the same
            self.errors.append(f"{self.name}: {what}: {error!r}")
        sys.stderr.write(f"{self.name}: {what}: {time.monotonic() - began:.1f} s\n")
