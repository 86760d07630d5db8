"""The end of a process, which comes within seconds of being told to, whatever hangs."""

import logging
import os
import time
from queue import SimpleQueue
from threading import Event, Thread

GRACE = 8.0  # seconds until what still hangs is abandoned; an orchestrator kills after ten

log = logging.getLogger(__name__)


class Order:
    """The order to end, given in the handler of a signal and carried out by a thread.

    A second signal may interrupt the handler of the first. Setting `stop` there would then wait for ever for the lock
    that the first call holds; a SimpleQueue may be interrupted.
    """

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._given = SimpleQueue[None]()

    def expect(self) -> None:
        """Wait for the order. Call it before the order can come: no thread may be started in a signal's handler."""
        Thread(target=self._obey, name="last resort", daemon=True).start()

    def give(self, **_: object) -> None:
        """Set `stop`, and end the process after `GRACE` seconds if it has not ended by then."""
        self._given.put(None)

    def _obey(self) -> None:
        self._given.get()
        self._stop.set()
        _end_after(GRACE)


def abandon(*, within: float = GRACE) -> None:
    """End this process after so many seconds, if it has not ended by then."""
    Thread(target=_end_after, args=(within,), name="last resort", daemon=True).start()


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    log.warning("what has not ended by itself is abandoned; letters in hand go back")
    # Python would wait for every thread of a pool, and one may wait minutes for a relay or a feed. Wake-ups are safe to
    # lose, and another worker reclaims the letters once the lease of this one expires.
    os._exit(0)
