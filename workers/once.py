"""A value that is made once, when it is first asked for."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Closing(Protocol):
    """What is closed in the end."""

    def close(self) -> None:
        """Give back what it holds."""


T = TypeVar("T", bound=Closing)


class Once(Generic[T]):
    """Makes a value when it is first asked for, also if two threads ask at once; after a failure it tries again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: T | None = None

    def __call__(self) -> T:
        """Return the value. Raises what making it raises."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def close(self) -> None:
        """Close the value, if it was made."""
        with self._lock:
            if self._made is not None:
                self._made.close()
