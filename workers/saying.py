"""What Celery's processes say: all of it through our one pipe on stderr, and nothing on stdout."""

import functools
import logging
from typing import Any

from celery import Celery, signals
from celery.apps.beat import Beat
from celery.apps.worker import install_worker_term_handler  # type: ignore[attr-defined]  # the stubs lack it

from newsletter import logs

UNACKNOWLEDGED = "Couldn't ack"  # as Kombu begins what it says then

log = logging.getLogger("workers")


class PlainBeat(Beat):
    """A beat that begins without a picture."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "quiet": True})


def through_our_logs(app: Celery) -> None:
    """Let worker and beat of this app log as the site does, at the level that Celery was called with."""
    _configure(loglevel=logging.WARNING)  # until Celery says how much is wanted: it warns root before that
    signals.setup_logging.connect(_configure)
    signals.celeryd_init.connect(_without_a_picture)
    logging.getLogger("celery.worker.request").addFilter(_mildly)
    for signal, event in (
        (signals.worker_ready, "worker started"),
        (signals.worker_shutdown, "worker stopped"),
        (signals.beat_init, "beat started"),
    ):
        signal.connect(functools.partial(_tell, event), weak=False)
    vars(app)["Beat"] = functools.partial(PlainBeat, app=app)  # in place of what the app's property would find


def _mildly(record: logging.LogRecord) -> bool:
    """A filter: that a ring could not be acknowledged is a warning, without the way to it.

    Redis went away at that moment. Kombu calls it critical; a ring that comes again only finds that nothing is due.
    """
    if str(record.msg).startswith(UNACKNOWLEDGED):
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.exc_info = None
    return True


def _configure(*, loglevel: int, **_: Any) -> None:
    logs.configure(loglevel)


def _without_a_picture(*, instance: Any, **_: Any) -> None:
    instance.quiet = True

    # Once it is ready, because until then it installs a handler that announces the end on stdout.
    def discreetly(**_: Any) -> None:
        install_worker_term_handler(instance, verbose=False)

    signals.worker_ready.connect(discreetly, weak=False)


def _tell(event: str, **_: Any) -> None:
    log.info(event)
