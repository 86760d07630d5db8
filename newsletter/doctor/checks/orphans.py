"""Find rows that refer to a missing row.

The database prevents them unless its checks are off: during some restores, and in an SQLite shell by default.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, exists, func, select
from sqlalchemy.orm import Session

from newsletter.doctor.checks.findings import Check, Finding
from newsletter.store.database import Base

REMEDY = "Restore the missing rows from a backup. Deleting the rows that refer to them would delete evidence."


def orphans(session: Session) -> Iterator[Finding]:
    """Find foreign keys that refer to missing rows, table by table.

    The caller must have imported newsletter.migrations.schema: a table that is not loaded is skipped.
    """
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            yield from _broken(session.connection(), table, key.parent, key.column)


def _broken(connection: Connection, table: Table, column: Column[object], target: Column[object]) -> Iterator[Finding]:
    count, least = connection.execute(_counted(column, target)).one()
    if count:
        says = f"rows that refer to a missing row of {target.table.name}: {count:,}; the first missing row is {least}"
        yield Finding(Check.ORPHANS, f"{table.name}.{column.name}", says, remedy=REMEDY)


@cache  # building the statements for all tables takes longer than running them on a small database
def _counted(column: Column[object], target: Column[object]) -> Select[int, Any]:
    """Return the number of broken rows, and the least row that is missing."""
    owner = target.table.alias("owner")
    broken = column.is_not(None) & ~exists().where(owner.c[target.name] == column)
    return select(func.count(), func.min(column)).where(broken)
