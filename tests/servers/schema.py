"""The schema that every test database starts with."""

from contextlib import closing

from newsletter.migrations.upgrade import migrate as migrate_schema
from newsletter.store.database import Database


def migrate(url: str) -> None:
    """Bring an empty database to the schema of today."""
    with closing(Database(url)) as database:
        migrate_schema(database)
