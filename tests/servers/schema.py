"""The schema that every test database starts with."""

from contextlib import closing
from pathlib import Path

from newsletter.database import Database


def migrate(url: str) -> None:
    """Bring an empty database to the schema of today."""
    from newsletter import migrations, schema  # noqa: PLC0415 - until the schema has settled

    with closing(Database(url)) as database:
        if not list(Path(migrations.__file__).parent.glob("versions/*.py")):
            schema.metadata.create_all(database.engine)
        migrations.migrate(database)
