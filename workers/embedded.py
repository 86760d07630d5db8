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

DEADLINE = 8  # seconds for the worker to start or to finish what it has begun
TICK = 0.1  # seconds between two looks of the beat, and so the longest that it takes to stop


@contextmanager
def embedded(app: Celery, *, stop: threading.Event | None = None) -> Iterator[None]:
    """A running worker and beat; on leaving, rings that have begun are finished and the others forgotten.

    What they do looks at `stop`, which is set on leaving, so that it ends soon; what still hangs after `DEADLINE` is
    left to its threads. One at a time in a process: what waits in the memory transport belongs to all.
    """
    app.set_default()  # another app may have been made since; tasks of one that is not the default are never answered
    ready = threading.Event()
    worker: Any = WorkController(
        app=app,
        hostname="embedded",
        ready_callback=lambda _: ready.set(),
        without_gossip=True,
        without_heartbeat=True,
        without_mingle=True,
    )
    hands = threading.Thread(target=worker.start, name="worker", daemon=True)
    clock: Any = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
    clock.service.max_interval = TICK
    hands.start()
    if not ready.wait(DEADLINE):
        raise RuntimeError("the embedded worker did not start")
    clock.start()
    try:
        yield
    finally:
        if stop:
            stop.set()
        clock.stop()
        app.control.broadcast("leave", destination=[worker.hostname])
        hands.join(DEADLINE)
        app.control.purge()


@control_command(visible=False)
def leave(_state: object) -> None:
    """End the worker from within: it would notice a request from another thread only seconds later."""
    raise WorkerShutdown(0)
