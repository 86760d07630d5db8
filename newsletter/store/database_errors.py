"""Classify database errors: unavailable (try again), conflict (begin again), bad data (no row can be written so)."""

import sqlite3

import psycopg
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

DRIVERS = (psycopg.Error, sqlite3.Error)
# What an `except` catches where the database may be unavailable; `is_unavailable` then tells for certain.
UNAVAILABLE = (OperationalError, InterfaceError, NoConnectionLeft)
# What Python raises for a value that it cannot convert to its column's type.
UNFIT = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


def is_unavailable(error: Exception) -> bool:
    """Whether the database is away, busy, full or read-only, so that trying again helps.

    SQLite also raises OperationalError for a faulty statement: that is a bug, does not pass, and does not count.
    """
    if getattr(error, "connection_invalidated", False):
        return True
    is_of_the_kind = isinstance(error, UNAVAILABLE)
    return is_of_the_kind and getattr(getattr(error, "orig", None), "sqlite_errorname", None) != "SQLITE_ERROR"


def is_conflict(error: Exception) -> bool:
    """Whether PostgreSQL ended one of two conflicting transactions (deadlock, serialization): begin it again."""
    return isinstance(
        getattr(error, "orig", None), psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure
    )


def is_bad_data(error: Exception) -> bool:
    """Whether the data itself was refused, so that the same row can never be written."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(error.orig if isinstance(error, StatementError) else error, UNFIT)


def first_line(error: Exception) -> str:
    """The first line of what the driver says, or the error's type where no driver raised it.

    The lines after the first may quote a row. The first may still name an address: mask it before it is shown.
    """
    said = getattr(error, "orig", None)
    return str(said).partition("\n")[0] if isinstance(said, DRIVERS) else type(error).__name__
