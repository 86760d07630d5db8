"""The tasks: one for each queue, without arguments. A lost, late or repeated one is harmless."""

import logging
from collections.abc import Callable
from functools import partial

from celery import Celery

from newsletter import broker
from newsletter.errors import Misconfigured
from newsletter.logs import log_failure
from newsletter.store.database_errors import UNAVAILABLE
from newsletter.wakeups import Queue, Wakeups
from workers import jobs
from workers.context import Context
from workers.single_flight import SingleFlight

log = logging.getLogger(__name__)


def register(app: Celery, context: Callable[[], Context], wakeups: Wakeups) -> None:
    """Let the workers of this app do the jobs of every queue."""
    for queue in Queue:
        handle(app, queue, SingleFlight(partial(run, queue, context), again=partial(wakeups.wake, queue)))


def handle(app: Celery, queue: Queue, work: Callable[[], None]) -> None:
    """Let the workers of this app do that work whenever the queue is woken."""

    # Celery shares tasks among all apps of a process unless told otherwise, and wants a plain function.
    @app.task(name=broker.task_name(queue), shared=False)
    def task() -> None:
        work()


def run(queue: Queue, context: Callable[[], Context]) -> bool:
    """Do a queue's jobs; return whether more is due.

    If the context cannot be built now, log why and return False: the next wake-up tries again.
    """
    try:
        built = context()
    except UNAVAILABLE as error:
        log_failure(log, f"the jobs of queue {queue} cannot run", error)
    except Misconfigured as error:
        log.error("the jobs of queue %s cannot run: %s", queue, error)  # noqa: TRY400 - without the traceback
    else:
        return jobs.run(queue, built)
    return False
