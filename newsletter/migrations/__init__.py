"""The migrations, and a database's position in them.

Every process checks this position at startup. To keep that cheap, only `alembic_upgrade` imports Alembic.
"""

from enum import StrEnum
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text


class SchemaState(StrEnum):
    """A database's schema compared with this code."""

    CURRENT = "current"
    BEHIND = "behind"  # also if there is no schema yet
    NEWER = "newer"  # a later release has already migrated


def state(connection: Connection) -> SchemaState:
    """Return whether the schema matches this code, is behind it, or is newer."""
    known = revisions()
    applied = _applied(connection)
    if applied == {known[-1]}:
        return SchemaState.CURRENT
    return SchemaState.NEWER if applied - set(known) else SchemaState.BEHIND


@cache
def revisions() -> tuple[str, ...]:
    """Return this code's revisions, oldest first. The name of a migration's file begins with its revision."""
    files = (Path(__file__).parent / "versions").glob("[0-9]*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def _applied(connection: Connection) -> set[str]:
    """Return the revisions that Alembic has recorded in the database; none if it was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
