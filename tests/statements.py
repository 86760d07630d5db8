"""Record the SQL statements that a database executes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from newsletter.store.database import Database


@contextmanager
def executed(database: Database) -> Iterator[list[str]]:
    """Yield a list of the statements that writing sessions execute while the block runs."""
    statements: list[str] = []

    def record(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", record)
