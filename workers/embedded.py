"""Worker and beat in the threads of this process: the whole service without Redis."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.exceptions import WorkerShutdown
from celery.worker import WorkController
from celery.worker.control import control_command

DEADLINE = 8  # seconds for the worker to start, or to finish what it has begun
TICK = 0.1  # seconds between two looks of beat at the schedule, and so the longest that it takes to stop


@contextmanager
def embedded(app: Celery, *, stop: threading.Event | None = None) -> Iterator[None]:
    """A running worker and beat; on leaving, calls that have begun are finished and waiting wake-ups forgotten.

    `stop` is set on leaving, for jobs to end soon; what still hangs after `DEADLINE` is left to its threads. One at a
    time in a process: what waits in the memory transport belongs to all.
    """
    app.set_default()  # another app may have been made since, and tasks of one that is not the default never run
    ready = threading.Event()
    worker: Any = WorkController(app=app, hostname="embedded", ready_callback=lambda _: ready.set())
    consumer = threading.Thread(target=worker.start, name="worker", daemon=True)
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
    beat.service.max_interval = TICK
    consumer.start()
    if not ready.wait(DEADLINE):
        raise RuntimeError("the embedded worker did not start")
    beat.start()
    try:
        yield
    finally:
        if stop:
            stop.set()
        beat.stop()
        app.control.broadcast("leave", destination=[worker.hostname])
        consumer.join(DEADLINE)
        app.control.purge()


@control_command(visible=False)
def leave(_state: object) -> None:
    """End the worker from within: it notices a request from another thread only seconds later."""
    raise WorkerShutdown(0)
