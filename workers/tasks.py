"""The tasks: one for each queue, without arguments. A lost, late or repeated one is harmless."""

from collections.abc import Callable
from functools import partial

from celery import Celery

from newsletter.queues import broker
from newsletter.queues.wakeups import Queue, Wakeups
from workers import jobs
from workers.context import Context
from workers.single_flight import SingleFlight


def register(app: Celery, context: Callable[[], Context], wakeups: Wakeups) -> None:
    """Register the task of every queue with this app: it does the queue's jobs."""
    for queue in Queue:
        work = partial(jobs.handle_wakeup, queue, context)
        handle(app, queue, SingleFlight(work, again=partial(wakeups.wake, queue)))


def handle(app: Celery, queue: Queue, work: Callable[[], None]) -> None:
    """Register the task of one queue: it calls `work` whenever the queue is woken."""

    # Celery shares tasks among all apps of a process unless told otherwise, and wants a plain function.
    @app.task(name=broker.task_name(queue), shared=False)
    def task() -> None:
        work()
