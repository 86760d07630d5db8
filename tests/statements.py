"""Record the SQL statements that a database executes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from newsletter.store.database import Database


@contextmanager
def executed(database: Database, *, reading: bool = False) -> Iterator[list[str]]:
    """Yield a list of the statements that writing sessions, or reading ones, execute while the block runs."""
    engine = database._reader if reading else database.engine
    statements: list[str] = []

    def record(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", record)
