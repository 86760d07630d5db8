"""The statements that a database is asked to execute."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from newsletter.store.database import Database


@contextmanager
def executed(database: Database) -> Iterator[list[str]]:
    """Those of writing sessions while the block runs."""
    heard: list[str] = []

    def note(*given: Any) -> None:
        heard.append(given[2])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
