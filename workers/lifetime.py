"""A worker process from start to end: it builds what its jobs need, and ends within seconds of being told to."""

import logging
from threading import Event

from celery import signals

from newsletter import startup
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL
from newsletter.redaction import log_failure
from workers import jobs
from workers.context import Context
from workers.ending import Order
from workers.once import Closing, Once
from workers.repeating import Repeating

log = logging.getLogger(__name__)


def attend(context: Once[Context], wakeups: Closing, stop: Event, *, heartbeat: float = HEARTBEAT_INTERVAL) -> None:
    """Build the context when a worker starts, set `stop` when it is told to end, and make sure that it does.

    If the context can never be built, a setting being wrong, the process ends at once. If the database is merely away,
    it goes on: every wake-up logs that, and tries again. It checks the other workers' leases every `heartbeat` seconds.
    """
    watch = Repeating(lambda: jobs.watch_leases(context), every=heartbeat, name="watch leases")
    order = Order(stop)

    def start(**_: object) -> None:
        order.expect()
        watch.start()
        try:
            with startup.exit_on_error():
                context()
        except Exception as error:  # noqa: BLE001 - the database is away, or only read, or our rights are missing
            log_failure(log, "the worker starts all the same", error)

    def end(**_: object) -> None:
        watch.close()
        wakeups.close()
        context.close()

    signals.worker_init.connect(start, weak=False)
    signals.worker_shutting_down.connect(order.give, weak=False)
    signals.worker_shutdown.connect(end, weak=False)
