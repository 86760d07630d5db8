"""End a process within seconds of the signal to end, whatever hangs."""

import logging
import os
import time
from queue import SimpleQueue
from threading import Event, Thread

GRACE = 8.0  # seconds until hanging threads are abandoned; an orchestrator kills after ten

log = logging.getLogger(__name__)


class Shutdown:
    """Ends the process: a signal handler requests it, and a thread sets `stop`.

    A second signal may interrupt the handler of the first. If the handler set `stop`, the second call would then wait
    for ever for the lock that the first holds; a SimpleQueue is reentrant.
    """

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._requests = SimpleQueue[None]()

    def listen(self) -> None:
        """Start the thread. Call it before a signal can come: a signal handler must not start a thread."""
        Thread(target=self._run, name="shutdown", daemon=True).start()

    def request(self, **_: object) -> None:
        """Set `stop`, and end the process after `GRACE` seconds if it has not ended by then."""
        self._requests.put(None)

    def _run(self) -> None:
        self._requests.get()
        self._stop.set()
        _sleep_and_exit(GRACE)


def exit_after(seconds: float) -> None:
    """End this process after so many seconds if it has not ended by then."""
    Thread(target=_sleep_and_exit, args=(seconds,), name="shutdown", daemon=True).start()


def _sleep_and_exit(seconds: float) -> None:
    time.sleep(seconds)
    log.warning("hanging threads are abandoned; claimed letters go back to the queue")
    # Python would wait for every thread of a pool, and one may wait minutes for a relay or a feed. A lost wake-up is
    # harmless, and another worker reclaims the letters once this one's lease expires.
    os._exit(0)
