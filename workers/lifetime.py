"""A worker process from its first moment to its last."""

import logging
import os
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Generic, Protocol, TypeVar

from celery import signals

from newsletter import startup
from newsletter.doorbell import CoalescingDoorbell
from newsletter.errors import Misconfigured
from newsletter.logs import log_failure
from newsletter.store.database_errors import UNAVAILABLE
from workers.lookout import Lookout
from workers.works import Works

GRACE = 8.0  # seconds from being told to end until what still hangs is abandoned; whoever told it kills after ten

log = logging.getLogger(__name__)


class Closing(Protocol):
    """What is closed in the end."""

    def close(self) -> None:
        """Give back what it holds."""


T = TypeVar("T", bound=Closing)


class Once(Generic[T]):
    """Made when it is first asked for, also if two threads ask at once; what could not be made is tried again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: T | None = None

    def __call__(self) -> T:
        """What was made."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def close(self) -> None:
        """Close it, if it was made."""
        with self._lock:
            if self._made is not None:
                self._made.close()


class Order:
    """The order to end: given in a signal's handler, carried out by a thread that waits for it.

    A second signal may come while the first one's handler runs. Setting an event there would then wait for ever for its
    lock, which the first call holds; the queue is one of the few things that may be used so.
    """

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._given = SimpleQueue[None]()

    def expect(self) -> None:
        """Wait for it; to be called before it can come, for a signal's handler is no place to start a thread in."""
        Thread(target=self._obey, name="last resort", daemon=True).start()

    def give(self, **_: object) -> None:
        """The process has to end; it does within eight seconds, whatever hangs."""
        self._given.put(None)

    def _obey(self) -> None:
        self._given.get()
        self._stop.set()
        _end_after(GRACE)


def attend(works: Once[Works], doorbell: Once[CoalescingDoorbell], stop: Event) -> None:
    """Build the works as soon as a worker starts, set `stop` when it is told to end, and see to it that it does.

    Where they can never be built, a setting being wrong, the process ends at once. Where the database is merely away it
    goes on: each ring says so, and tries again.
    """
    order = Order(stop)
    lookout = Lookout(lambda: _look(works))

    def begin(**_: object) -> None:
        order.expect()
        lookout.start()
        try:
            with startup.or_end():
                works()
        except Exception as error:  # noqa: BLE001 - the database is away, or only read, or our rights are missing
            log_failure(log, "the worker starts all the same", error)

    def end(**_: object) -> None:
        lookout.close()
        doorbell.close()
        works.close()

    signals.worker_init.connect(begin, weak=False)
    signals.worker_shutting_down.connect(order.give, weak=False)
    signals.worker_shutdown.connect(end, weak=False)


def _look(works: Once[Works]) -> None:
    try:
        works().look()
    except (*UNAVAILABLE, Misconfigured):
        pass  # there are no works yet; each ring says why
    except Exception as error:  # noqa: BLE001 - the next look may be a better one
        log_failure(log, "nobody looks after other workers", error)


def abandon(*, within: float = GRACE) -> None:
    """End this process after so many seconds, if it has not ended by then, whatever hangs."""
    Thread(target=_end_after, args=(within,), name="last resort", daemon=True).start()


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    log.warning("what has not ended by itself is abandoned; letters in hand go back")
    # Python would wait for every thread of a pool, and one may wait minutes for a relay or a feed. Rings are safe to
    # lose, and claims are handed back by the next upkeep that finds their carrier silent.
    os._exit(0)
