"""Faults: whose they are, and how they are told without telling on anybody."""

import sqlite3
from logging import Logger
from typing import Any

import psycopg
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from newsletter import logs
from newsletter.addresses import hidden

DRIVERS = (psycopg.Error, sqlite3.Error)
# The database's own trouble (it is away, busy or full); what is being written is not the cause.
AWAY = (OperationalError, InterfaceError, NoConnectionLeft)
# What Python says of a value that it cannot turn into what a column takes.
UNFIT = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


def is_away(error: Exception) -> bool:
    """Whether the database is away, busy or full, or refuses every write, so that trying again helps.

    SQLite calls what is wrong with a statement by the same name; that is a mistake of ours, and does not pass.
    """
    if getattr(error, "connection_invalidated", False):
        return True
    return isinstance(error, AWAY) and getattr(getattr(error, "orig", None), "sqlite_errorname", None) != "SQLITE_ERROR"


def is_collision(error: Exception) -> bool:
    """Whether PostgreSQL ended one of two transactions that waited for each other: to begin again is all it takes."""
    return isinstance(
        getattr(error, "orig", None), psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure
    )


def is_of_the_row(error: Exception) -> bool:
    """Whether an error is provably about what was to be written, so that the same row can never be written."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(error.orig if isinstance(error, StatementError) else error, UNFIT)


def reason(error: Exception) -> str:
    """Why the database is away, in its driver's own words; only the first line, for those after it may quote a row."""
    said = getattr(error, "orig", None)
    return hidden(str(said).partition("\n")[0]) if isinstance(said, DRIVERS) else type(error).__name__


def tell(log: Logger, what: str, error: Exception, **about: Any) -> None:
    """Log what failed, the kind of the error and the way to it; no way where the database is merely away.

    Of any other error never the message: PostgreSQL's quotes the row that it refuses, and so an address.
    """
    kind = type(error).__name__
    facts = {"error": kind, **about}
    if is_away(error):
        log.warning("%s, the database is away: %s", what, reason(error), extra=facts)
    else:
        log.error("%s: %s", what, kind, extra=facts, exc_info=logs.wordless(error))
