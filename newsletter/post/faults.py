"""Faults: whose they are, and how they are told without telling on anybody."""

from traceback import format_tb

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

# The database's own trouble (it is away, busy or full); what is being written is not the cause.
AWAY = (OperationalError, InterfaceError, NoConnectionLeft)


def traced(error: BaseException) -> str:
    """The kind of an error and the way to it, for a log.

    Not its message: PostgreSQL's quotes the row that it refuses, and so an address.
    """
    return f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}".rstrip()
