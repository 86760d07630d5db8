"""Run the migrations with Alembic, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from newsletter.migrations import SchemaState, state
from newsletter.store import triggers
from newsletter.store.database import Database

_LOCK_ID = 7_226_115_014  # an arbitrary constant: of two processes that migrate, one waits for the other


def migrate(database: Database) -> None:
    """Bring the schema up to date and recreate its triggers, in one transaction. Safe to repeat.

    A newer schema is not touched: migrations only add, so processes of the previous release can still use it.
    """
    with (_on_sqlite if database.is_sqlite else _on_postgresql)(database) as connection:
        if state(connection) is not SchemaState.NEWER:
            command.upgrade(_config(connection), "head")
            triggers.recreate(connection)


@contextmanager
def _on_postgresql(database: Database) -> Iterator[Connection]:
    with database.engine.begin() as connection:
        # Building an index, or waiting for another process that migrates, may take any time.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK_ID})
        # Waiting for a table's lock may not: all later statements on that table would wait behind this one.
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        yield connection


@contextmanager
def _on_sqlite(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        # Alembic alters a SQLite table by copying it and dropping the old one. With foreign keys on, the drop deletes
        # the rows that refer to it. Foreign keys cannot be turned off inside a transaction, so do it before.
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if dangling := connection.execute(text("PRAGMA foreign_key_check")).all():
                    raise RuntimeError(f"this migration leaves {len(dangling)} rows with broken foreign keys")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
