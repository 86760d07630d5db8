"""Faults: whose they are, and how they are told without telling on anybody."""

from logging import Logger
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from newsletter import logs

# The database's own trouble (it is away, busy or full); what is being written is not the cause.
AWAY = (OperationalError, InterfaceError, NoConnectionLeft)


def is_away(error: Exception) -> bool:
    """Whether the database is away, busy or full, so that trying again helps.

    SQLite calls what is wrong with a statement by the same name; that is a mistake of ours, and does not pass.
    """
    return isinstance(error, AWAY) and getattr(getattr(error, "orig", None), "sqlite_errorname", None) != "SQLITE_ERROR"


def reason(error: Exception) -> str:
    """Why the database is away, in its own words, as far as they are about it: what follows them may quote a row."""
    return str(getattr(error, "orig", None) or type(error).__name__).partition("\n")[0]


def tell(log: Logger, what: str, error: Exception, **about: Any) -> None:
    """Log what failed, the kind of the error and the way to it; no way where the database is merely away.

    Never the error's message: PostgreSQL's quotes the row that it refuses, and so an address.
    """
    kind = type(error).__name__
    facts = {"error": kind, **about}
    if is_away(error):
        log.warning("%s, the database is away: %s", what, reason(error), extra=facts)
    else:
        log.error("%s: %s", what, kind, extra=facts, exc_info=logs.wordless(error))
