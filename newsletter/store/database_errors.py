"""Classify database errors: unavailable (try again later), conflict (run again), bad data (never succeeds)."""

import sqlite3

import psycopg
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, InternalError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

DRIVERS = (psycopg.Error, sqlite3.Error)
# For `except` clauses: errors that may mean that the database is unavailable. `is_unavailable` decides.
UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NoConnectionLeft)
# Python raises these for a value that it cannot convert to the column's type.
CONVERSION_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


def is_unavailable(error: Exception) -> bool:
    """Whether the database is away, busy, full or read-only, so that trying again helps.

    SQLite also raises OperationalError for a faulty statement. That is a bug, so it does not count. An InternalError
    counts if it is of a read-only server, whose connections are then closed (`connection_invalidated`).
    """
    if getattr(error, "connection_invalidated", False):
        return True
    is_bug = getattr(getattr(error, "orig", None), "sqlite_errorname", None) == "SQLITE_ERROR"
    return isinstance(error, UNAVAILABLE) and not (is_bug or isinstance(error, InternalError))


def is_disk_full(error: BaseException) -> bool:
    """Whether the driver reports that the database's disk is full."""
    return isinstance(error, psycopg.errors.DiskFull) or getattr(error, "sqlite_errorname", None) == "SQLITE_FULL"


def is_conflict(error: Exception) -> bool:
    """Whether PostgreSQL ended one of two conflicting transactions (deadlock, serialization): run it again."""
    return isinstance(
        getattr(error, "orig", None), psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure
    )


def is_bad_data(error: Exception) -> bool:
    """Whether the data itself was refused, so that writing the same row again cannot succeed."""
    if isinstance(error, DataError | IntegrityError):
        return True
    return isinstance(error.orig if isinstance(error, StatementError) else error, CONVERSION_ERRORS)


def first_line(error: Exception) -> str:
    """Return the first line of the driver's message, or the error's type if no driver raised it.

    Later lines may quote a row. The first line may still contain an address: redact it before you show it.
    """
    cause = getattr(error, "orig", None)
    return str(cause).partition("\n")[0] if isinstance(cause, DRIVERS) else type(error).__name__
