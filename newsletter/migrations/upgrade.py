"""Run the migrations, by Alembic, on SQLite and on PostgreSQL."""

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

_LOCK = 7_226_115_014  # any number, the same for all: two processes that migrate wait for each other


def migrate(database: Database) -> None:
    """Bring the schema up to date and make its triggers anew, all in one transaction; doing it again is harmless.

    A newer schema is left as it is: migrations add, so a process of the release before may start again beside it.
    """
    with (_on_sqlite if database.is_sqlite else _on_postgresql)(database) as connection:
        if state(connection) is not SchemaState.NEWER:
            command.upgrade(_config(connection), "head")
            triggers.recreate(connection)


@contextmanager
def _on_postgresql(database: Database) -> Iterator[Connection]:
    with database.engine.begin() as connection:
        # Building an index takes as long as it takes, and so does waiting for another process that migrates.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # Waiting for a table does not: whoever comes after us would wait behind us.
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        yield connection


@contextmanager
def _on_sqlite(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        # SQLite alters a table by building it anew and dropping the old one. With foreign keys on, dropping it deletes
        # what refers to its rows; and within a transaction they can no longer be switched off.
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if dangling := connection.execute(text("PRAGMA foreign_key_check")).all():
                    raise RuntimeError(f"this migration leaves {len(dangling)} rows that refer to nothing")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
