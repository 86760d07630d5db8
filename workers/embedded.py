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

DEADLINE = 8  # seconds for the worker to start, or to finish running tasks
BEAT_INTERVAL = 0.1  # seconds between two checks of the schedule; stopping beat takes at most that long


@contextmanager
def embedded(app: Celery, *, stop: threading.Event | None = None) -> Iterator[None]:
    """Run a worker and beat; on leaving, finish running tasks and drop waiting wake-ups.

    Sets `stop` on leaving, so that jobs end soon; a task that still hangs after `DEADLINE` stays in its daemon thread.
    Only one can run at a time in a process, because all share the memory transport.
    """
    app.set_default()  # another app may have become the default since, and only the default's tasks run
    ready = threading.Event()
    worker: Any = WorkController(app=app, hostname="embedded", ready_callback=lambda _: ready.set())
    consumer = threading.Thread(target=worker.start, name="worker", daemon=True)
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
    beat.service.max_interval = BEAT_INTERVAL
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
