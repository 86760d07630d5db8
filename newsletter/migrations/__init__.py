"""Migrations: the schema's history, and where a database stands in it.

Every process asks where its database stands. So that this costs nothing, Alembic is imported only by `upgrade`.
"""

from enum import StrEnum
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text


class SchemaState(StrEnum):
    """Where a database's schema stands, seen from this code."""

    CURRENT = "current"
    BEHIND = "behind"  # or there is none yet
    NEWER = "newer"  # another release has migrated already


def state(connection: Connection) -> SchemaState:
    """Whether the schema is the one that this code was written for, or which of the two is ahead."""
    known = revisions()
    found = _found(connection)
    if found == {known[-1]}:
        return SchemaState.CURRENT
    return SchemaState.NEWER if found - set(known) else SchemaState.BEHIND


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions that this code has, oldest first: each migration's file name begins with its own."""
    files = (Path(__file__).parent / "versions").glob("[0-9]*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def _found(connection: Connection) -> set[str]:
    """Return the revisions that Alembic has noted in the database; none in one that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))
