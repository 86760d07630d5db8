"""Logs: whatever a process says goes down one pipe, and nothing leaves it that names a reader or acts for one.

Outside a terminal an event is a line of JSON. Modules log by the standard library: a constant sentence, and what is
particular to the event as fields (`extra`): ids and counts. What libraries say is not ours to word, and quotes whatever
it stumbled on; so every string is scrubbed at the very end, a traceback's too.
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

OURS = ("newsletter", "workers")
# At INFO these write down whole URLs, at DEBUG what was in them.
INDISCREET = ("httpx2", "httpcore2", "python_multipart")
# At INFO these tell of every ring, and of every look at the schema. At DEBUG somebody wants to know.
TALKATIVE = ("alembic.runtime", "celery.app.trace", "celery.beat", "celery.worker.strategy")

log = logging.getLogger(__name__)


def configure(level: int | str = logging.INFO, *, to: TextIO | None = None) -> None:
    """Send all that this process logs from now on down the pipe: to stderr, readable where that is a terminal.

    It takes the place of whatever was set up before, and of Python's own words about what nobody has caught.
    """
    stream = to or sys.stderr
    pipe = _Pipe(stream)
    pipe.setFormatter(formatter(readable=stream.isatty()))
    logging.root.handlers[:] = [pipe]
    logging.root.setLevel(level)
    _moderate()
    _take_over_uvicorn()
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _ended
    threading.excepthook = lambda ended: _ended(ended.exc_type, ended.exc_value, ended.exc_traceback)


def formatter(*, readable: bool = False) -> logging.Formatter:
    """What turns a record into its line: JSON in ASCII, or for a person at a terminal."""
    render: Processor = _for_a_person() if readable else JSONRenderer()
    facts = (_fields, add_log_level, add_logger_name, TimeStamper("iso", utc=True), format_exc_info)
    return ProcessorFormatter(processors=[*facts, ProcessorFormatter.remove_processors_meta, _scrubbed, render])


def _for_a_person() -> Processor:
    # It imports all that colours a terminal: a tenth of the start of each process, and services have none.
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415

    return ConsoleRenderer(exception_formatter=plain_traceback)


def _scrubbed(_: Any, __: str, event: EventDict) -> EventDict:
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    """A value as JSON can have it; what JSON does not know becomes text first, so that it is scrubbed as well."""
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
    """Our own fields. What libraries attach is made for their own formatters: colours, whole tasks."""
    ours = event["_record"].name.startswith(OURS) and not event["_from_structlog"]
    return ExtraAdder()(logging.root, level, event) if ours else event


def _moderate() -> None:
    least = logging.root.level
    for name in INDISCREET + TALKATIVE:
        wanted = least <= logging.DEBUG and name in TALKATIVE
        logging.getLogger(name).setLevel(least if wanted else max(logging.WARNING, least))


def _take_over_uvicorn() -> None:
    """Take off the handlers that uvicorn has before it calls the factory; its access log would tell the paths."""
    for name in ("uvicorn", "uvicorn.access"):
        uvicorn = logging.getLogger(name)
        uvicorn.handlers.clear()
        uvicorn.propagate = name == "uvicorn"


def _ended(kind: type[BaseException], error: BaseException | None, way: TracebackType | None) -> None:
    if isinstance(error, NewsletterError):
        log.critical(str(error))  # it is meant for whoever reads it, and needs no way there
    elif not issubclass(kind, KeyboardInterrupt | SystemExit):
        log.critical(
            "nobody has caught an error", exc_info=(kind, error or kind(), way), extra={"error": kind.__name__}
        )


class _Pipe(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say that a line is missing, and no more: logging's own account would quote what was in it."""
        kind = sys.exc_info()[0] or Exception
        said = {"name": __name__, "levelname": "ERROR", "msg": "a line of the log could not be written"}
        about = logging.makeLogRecord({**said, "error": kind.__name__, "source": record.name})
        with suppress(Exception):
            self.stream.write(self.format(about) + self.terminator)
