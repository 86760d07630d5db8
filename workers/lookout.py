"""The lookout: each worker watches over the others by itself, whichever of them answers the bells."""

from collections.abc import Callable
from threading import Event, Thread

from newsletter.mail.delivery.leases import BEAT


class Lookout:
    """Looks every five seconds from a thread of its own, until it is closed.

    Rings of one room go round all workers. Of twenty each would answer one in a hundred seconds, and whoever looks so
    rarely has seen too little to call anybody silent (`Watch`).
    """

    def __init__(self, look: Callable[[], object], *, every: float = BEAT) -> None:
        self._look = look
        self._every = every
        self._closed = Event()
        self._thread = Thread(target=self._watch, name="lookout", daemon=True)

    def start(self) -> None:
        """Begin to look. `look` raises nothing."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; a look that has begun is waited for, but not for ever."""
        self._closed.set()
        if self._thread.ident:
            self._thread.join(BEAT)

    def _watch(self) -> None:
        while not self._closed.wait(self._every):
            self._look()
