"""Send all output of Celery's processes through our logs to stderr; nothing goes to stdout."""

import logging
from functools import partial
from typing import Any

from celery import Celery, signals
from celery.apps.worker import install_worker_term_handler  # type: ignore[attr-defined]  # the stubs lack it

from newsletter import logs

log = logging.getLogger("workers")


def log_like_the_site(app: Celery) -> None:
    """Let worker and beat of this app log as the site does, at the level that Celery was called with."""
    _configure(loglevel=logging.WARNING)  # until Celery passes the level: it warns root users before that
    signals.setup_logging.connect(_configure)
    signals.celeryd_init.connect(_without_banner)
    signals.worker_shutdown.connect(partial(_log, "worker stopped"), weak=False)
    signals.beat_init.connect(partial(_log, "beat started"), weak=False)
    beat: Any = app.Beat
    # A patch, because beat sends no signal before it prints its banner: tests/workers/test_output.py fails without it.
    vars(app)["Beat"] = lambda **options: beat(**options | {"quiet": True})


def _configure(*, loglevel: int, **_: Any) -> None:
    logs.configure(loglevel)


def _without_banner(*, instance: Any, **_: Any) -> None:
    instance.quiet = True

    # Only once the worker is ready: until then Celery installs a handler that announces the end on stdout.
    def end_quietly(**_: Any) -> None:
        install_worker_term_handler(instance, verbose=False)
        log.info("worker started")  # only now, because a reader of this line may end the worker

    signals.worker_ready.connect(end_quietly, weak=False)


def _log(event: str, **_: Any) -> None:
    log.info(event)
