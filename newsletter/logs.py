"""Configure logging: one handler, JSON lines outside a terminal, addresses and tokens removed.

Modules log with the standard library: a constant sentence, with ids and counts as fields (`extra`). Messages of
libraries may quote any data, so the formatter scrubs every string at the end, also those of a traceback.
"""

import logging
import math
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from newsletter.errors import NewsletterError
from newsletter.redaction import scrub

OWN_LOGGERS = ("newsletter", "workers")
# Never below WARNING: at INFO these log whole URLs, at DEBUG the bodies.
REVEALING_LOGGERS = ("httpx2", "httpcore2", "python_multipart")
# Below WARNING only if the root is at DEBUG: at INFO these log every wake-up and every check of the schema.
VERBOSE_LOGGERS = ("alembic.runtime", "celery.app.trace", "celery.beat", "celery.worker.strategy")

log = logging.getLogger(__name__)


def configure(level: int | str = logging.INFO, *, to: TextIO | None = None) -> None:
    """Log to `to` (by default stderr), as text if that is a terminal, otherwise as JSON lines.

    It replaces all handlers of the root logger and uvicorn's, and Python's hooks for uncaught exceptions.
    """
    stream = to or sys.stderr
    handler = _ScrubbingHandler(stream)
    handler.setFormatter(formatter(readable=stream.isatty()))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    _limit_libraries()
    _remove_uvicorn_handlers()
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda hook: _log_uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)


def formatter(*, readable: bool = False) -> logging.Formatter:
    """Return the formatter: JSON in ASCII, or text for a terminal."""
    render: Processor = _console_renderer() if readable else JSONRenderer()
    fields = (_fields, add_log_level, add_logger_name, TimeStamper("iso", utc=True), format_exc_info)
    return ProcessorFormatter(processors=[*fields, ProcessorFormatter.remove_processors_meta, _scrubbed, render])


def _console_renderer() -> Processor:
    # Imported only here: it takes a tenth of a process's startup time, and services have no terminal.
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415

    return ConsoleRenderer(exception_formatter=plain_traceback)


def _scrubbed(_: Any, __: str, event: EventDict) -> EventDict:
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    """Return a scrubbed value that JSON can represent. Other types become text first, so that it is scrubbed too."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {scrub(str(name)): _clean(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(each) for each in value]
        case _:
            return scrub(str(value))


def _fields(_: Any, level: str, event: EventDict) -> EventDict:
    """Add the fields of our own records. Libraries attach others for their own formatters: colors, whole tasks."""
    is_own = event["_record"].name.startswith(OWN_LOGGERS) and not event["_from_structlog"]
    return ExtraAdder()(logging.root, level, event) if is_own else event


def _limit_libraries() -> None:
    level = logging.root.level
    for name in REVEALING_LOGGERS + VERBOSE_LOGGERS:
        is_wanted = level <= logging.DEBUG and name in VERBOSE_LOGGERS
        logging.getLogger(name).setLevel(level if is_wanted else max(logging.WARNING, level))


def _remove_uvicorn_handlers() -> None:
    """Remove the handlers that uvicorn sets up before it calls the factory. Its access log would show the paths."""
    for name in ("uvicorn", "uvicorn.access"):
        uvicorn = logging.getLogger(name)
        uvicorn.handlers.clear()
        uvicorn.propagate = name == "uvicorn"


def _log_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if isinstance(error, NewsletterError):
        log.critical(str(error))  # its message explains it; a traceback would only hide it
    elif not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical("uncaught error", exc_info=(kind, error or kind(), traceback), extra={"error": kind.__name__})


class _ScrubbingHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Log that a record is missing, without its content, which the standard library would print unscrubbed."""
        kind = sys.exc_info()[0] or Exception
        fields = {"name": __name__, "levelname": "ERROR", "msg": "a record could not be logged"}
        replacement = logging.makeLogRecord({**fields, "error": kind.__name__, "source": record.name})
        with suppress(Exception):
            self.stream.write(self.format(replacement) + self.terminator)
