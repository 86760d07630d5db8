"""The schema of test databases."""

from contextlib import closing

from newsletter.migrations.alembic_upgrade import migrate as migrate_schema
from newsletter.store.database import Database


def migrate(url: str) -> None:
    """Migrate an empty database to the current schema."""
    with closing(Database(url)) as database:
        migrate_schema(database)
