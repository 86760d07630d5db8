"""A worker process from start to end: it builds the context of its jobs and ends within seconds of a signal."""

import logging
from threading import Event

from celery import signals

from newsletter import startup
from newsletter.redaction import log_failure
from workers import jobs
from workers.context import Context
from workers.ending import Shutdown
from workers.once import Closing, Once
from workers.repeating import Repeating

log = logging.getLogger(__name__)


def connect_signals(context: Once[Context], wakeups: Closing, stop: Event, *, heartbeat: float) -> None:
    """Build the context when a worker starts; set `stop` when it gets a signal to end, and make sure that it ends.

    If a wrong setting makes the context impossible, the process ends at once. If only the database is away, it goes
    on: every wake-up logs that and tries again. Every `heartbeat` seconds it checks the other workers' leases.
    """
    lease_check = Repeating(lambda: jobs.watch_leases(context), every=heartbeat, name="watch leases")
    shutdown = Shutdown(stop)

    def start(**_: object) -> None:
        shutdown.listen()
        lease_check.start()
        try:
            with startup.exit_on_error():
                context()
        except Exception as error:  # noqa: BLE001 - the database is away or read-only, or lacks our rights
            log_failure(log, "the worker starts without its context", error)

    def end(**_: object) -> None:
        lease_check.close()
        wakeups.close()
        context.close()

    signals.worker_init.connect(start, weak=False)
    signals.worker_shutting_down.connect(shutdown.request, weak=False)
    signals.worker_shutdown.connect(end, weak=False)
