"""Decide when a send run ends."""

import time
from collections.abc import Callable
from threading import Event

SLOW_LETTER_SECONDS = 1.0  # that a run waits at its end for its last letters, before it sends others beside them
EXTENSION_SECONDS = 5.0  # by which the run is then extended


class RunDeadline:
    """Ends a run at a time, or at once when `stop` is set; extends it while a relay is slow to reply to a letter.

    A relay may take ten minutes to reply, and no other letter may wait that long.
    """

    def __init__(
        self,
        until: float,
        *,
        stop: Event,
        on_extension: Callable[[float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`until` is a monotonic time. Each extension calls `on_extension` with the new one."""
        self._until = until
        self._stop = stop
        self._on_extension = on_extension
        self._monotonic = monotonic
        self._over_since: float | None = None
        self._slow_letter: int | None = None  # the delivery that the run was last extended for

    @property
    def is_stopping(self) -> bool:
        """Whether the process has to end."""
        return self._stop.is_set()

    def is_past(self) -> bool:
        """Return whether the time is up, without an extension."""
        return self.is_stopping or self._monotonic() >= self._until

    def is_over(self, oldest: int | None) -> bool:
        """Return whether no further letter is to begin; `oldest` is the delivery that has waited longest for a reply.

        If that one is slow, the run is extended and goes on.
        """
        if self.is_stopping:
            return True
        now = self._monotonic()
        return now >= self._until and not self._extended_for(oldest, now)

    def extend(self) -> None:
        """Let the run last `EXTENSION_SECONDS` from now, if it does not anyway."""
        self._extend(self._monotonic())

    def _extended_for(self, oldest: int | None, now: float) -> bool:
        if oldest is None:
            return False
        if self._over_since is None:
            self._over_since = now
        if now < self._over_since + SLOW_LETTER_SECONDS and oldest != self._slow_letter:
            return False
        self._slow_letter = oldest
        self._extend(now)
        return True

    def _extend(self, now: float) -> None:
        self._over_since = None
        self._until = max(self._until, now + EXTENSION_SECONDS)
        self._on_extension(self._until)
