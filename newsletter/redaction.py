"""Remove addresses, link tokens and credentials from text and errors.

Messages of libraries need this, because they may quote any data.
"""

import logging
import re
from types import TracebackType
from typing import Any

from newsletter import addresses
from newsletter.links import PATHS
from newsletter.store import database_errors

WARNING_INTERVAL = 60  # seconds between two warnings about the same problem

# Up to the last @ of the authority: an @ in the password may not be escaped.
_CREDENTIALS = re.compile(r"(?<=://)(?:(?!://)[^\s@])*@(?:[^\s/?#@]*@)*")
_SLASH = "(?:/|%2[Ff])"
_PATHS = "|".join(_SLASH.join(path.split("/")) for path in PATHS.values())
# Not a route's template, which has `{token}` in place of the token.
_TOKEN = re.compile(rf"(?:(?<=/)|(?<=%2[Ff]))({_PATHS}){_SLASH}(?!\{{token\}}(?:\s|$))\S+")


def scrub(text: str) -> str:
    """Return the text without credentials in URLs, addresses and link tokens."""
    text = _CREDENTIALS.sub("", text) if "://" in text else text
    text = addresses.redact(text)
    return _TOKEN.sub(r"\1/…", text) if "/" in text or "%2" in text else text


def without_message(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Return an error as `exc_info`: its type and traceback, without its message and causes.

    Messages may quote data: PostgreSQL quotes the row that it refuses.
    """
    kind = type(type(error).__qualname__, (Exception,), {"__module__": type(error).__module__})
    return kind, kind(), error.__traceback__


def log_failure(log: logging.Logger, what: str, error: Exception, **fields: Any) -> None:
    """Log a failure without personal data: the error's type and traceback, or why the database is unavailable.

    The message of any other error is left out, because it may quote a row, and so an address.
    """
    kind = type(error).__name__
    extra = {"error": kind, **fields}
    if database_errors.is_unavailable(error):
        reason = addresses.redact(database_errors.first_line(error))
        log.warning("%s, the database is unavailable: %s", what, reason, extra=extra)
    else:
        log.error("%s: %s", what, kind, extra=extra, exc_info=without_message(error))
