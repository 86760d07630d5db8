"""A worker process from start to end: it builds what its jobs need, and ends within seconds of being told to."""

import logging
import os
import time
from queue import SimpleQueue
from threading import Event, Thread

from celery import signals

from newsletter import startup
from newsletter.errors import Misconfigured
from newsletter.logs import log_failure
from newsletter.mail.delivery.leases import BEAT
from newsletter.store.database_errors import UNAVAILABLE
from workers import jobs
from workers.context import Context
from workers.once import Closing, Once
from workers.repeating import Repeating

GRACE = 8.0  # seconds from being told to end until what still hangs is abandoned; an orchestrator kills after ten

log = logging.getLogger(__name__)


def attend(context: Once[Context], wakeups: Closing, stop: Event) -> None:
    """Build the context when a worker starts, set `stop` when it is told to end, and make sure that it does.

    If the context can never be built, a setting being wrong, the process ends at once. If the database is merely away,
    it goes on: every wake-up logs that, and tries again.
    """
    # The wake-ups of a queue go round all workers. Of twenty each would be woken once in a hundred seconds, too seldom
    # to see that a lease has expired; so each watches by itself.
    watch = Repeating(lambda: _reclaim(context), every=BEAT, name="reclaim leases")
    # A second signal may interrupt the handler of the first, in the middle of `stop.set()`, whose lock it would wait
    # for for ever. A SimpleQueue may be interrupted.
    told = SimpleQueue[None]()

    def start(**_: object) -> None:
        Thread(target=_end_when, args=(told, stop), name="last resort", daemon=True).start()
        watch.start()
        try:
            with startup.or_end():
                context()
        except Exception as error:  # noqa: BLE001 - the database is away, or only read, or our rights are missing
            log_failure(log, "the worker starts all the same", error)

    def tell_to_end(**_: object) -> None:
        told.put(None)

    def end(**_: object) -> None:
        watch.close()
        wakeups.close()
        context.close()

    signals.worker_init.connect(start, weak=False)
    signals.worker_shutting_down.connect(tell_to_end, weak=False)
    signals.worker_shutdown.connect(end, weak=False)


def abandon(*, within: float = GRACE) -> None:
    """End this process after so many seconds, if it has not ended by then, whatever hangs."""
    Thread(target=_end_after, args=(within,), name="last resort", daemon=True).start()


def _end_when(told: SimpleQueue[None], stop: Event) -> None:
    told.get()
    stop.set()
    _end_after(GRACE)


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    log.warning("what has not ended by itself is abandoned; letters in hand go back")
    # Python would wait for every thread of a pool, and one may wait minutes for a relay or a feed. Wake-ups are safe to
    # lose, and another worker reclaims the claims once their lease expires.
    os._exit(0)


def _reclaim(context: Once[Context]) -> None:
    try:
        jobs.attempt(jobs.reclaim_expired_leases, context())
    except (*UNAVAILABLE, Misconfigured):
        pass  # the context cannot be built yet; every wake-up logs why
    except Exception as error:  # noqa: BLE001 - the next attempt may succeed
        log_failure(log, "the leases of other workers are not watched", error)
