"""Migrations: the schema's history, run by Alembic on SQLite and on PostgreSQL."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from newsletter import triggers
from newsletter.database import Database

_LOCK = 7_226_115_014  # any number, the same for all: two processes that migrate wait for each other


def migrate(database: Database) -> None:
    """Bring the schema up to date and make its triggers anew, all in one transaction; doing it again is harmless."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(_config(connection), "head")
        triggers.recreate(connection)


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one that this code was written for."""
    heads = ScriptDirectory.from_config(_config(connection)).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
