"""Redaction: take out of a text or an error whatever names a reader, acts for one, or opens a door.

What a library says is not ours to word, and quotes whatever it stumbled on.
"""

import logging
import re
from types import TracebackType
from typing import Any

from newsletter import addresses
from newsletter.links import PATHS
from newsletter.store import database_errors

# Up to the last @ that may still belong to it: whoever put the password there may have forgotten to escape it.
_CREDENTIALS = re.compile(r"(?<=://)(?:(?!://)[^\s@])*@(?:[^\s/?#@]*@)*")
# A route's template has the parameter's name in the token's place, and may keep it.
_TOKEN = re.compile(rf"(?:(?<=/)|(?<=%2[Ff]))({'|'.join(PATHS.values())})(?:/|%2[Ff])(?!\{{token\}}(?:\s|$))\S+")


def scrub(text: str) -> str:
    """A text without credentials in URLs, addresses and the tokens of links."""
    text = _CREDENTIALS.sub("", text) if "://" in text else text
    text = addresses.hidden(text)
    return _TOKEN.sub(r"\1/…", text) if "/" in text or "%2" in text else text


def wordless(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """An error as `exc_info`: its kind and the way to it, and nothing of what it says or was caused by.

    For errors that may quote what they were about: PostgreSQL's quotes the row that it refuses.
    """
    kind = type(type(error).__qualname__, (Exception,), {"__module__": type(error).__module__})
    return kind, kind(), error.__traceback__


def log_failure(log: logging.Logger, what: str, error: Exception, **fields: Any) -> None:
    """Log a failure without personal data: the error's type and traceback, or why the database is unavailable.

    The message of any other error is left out: PostgreSQL's quotes the row that it refuses, and so an address.
    """
    kind = type(error).__name__
    extra = {"error": kind, **fields}
    if database_errors.is_unavailable(error):
        why = addresses.hidden(database_errors.first_line(error))
        log.warning("%s, the database is unavailable: %s", what, why, extra=extra)
    else:
        log.error("%s: %s", what, kind, extra=extra, exc_info=wordless(error))
