"""A value that is made once, on first use."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Closing(Protocol):
    """An object that must be closed."""

    def close(self) -> None:
        """Release its resources."""


T = TypeVar("T", bound=Closing)


class Once(Generic[T]):
    """Makes a value once, on first use, even if two threads call at once; after a failure the next call tries again."""

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
