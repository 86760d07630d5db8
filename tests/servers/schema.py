"""The schema that every test database starts with."""

from contextlib import closing

from newsletter import migrations
from newsletter.store.database import Database


def migrate(url: str) -> None:
    """Bring an empty database to the schema of today."""
    with closing(Database(url)) as database:
        migrations.migrate(database)
