"""Orphans: rows whose owner is gone.

The database refuses to make them, unless somebody told it not to: a restore with checks switched off, or a shell on the
SQLite file, which checks nothing by default.
"""

from collections.abc import Iterator

from sqlalchemy import Column, Connection, Table, exists, func, select
from sqlalchemy.orm import Session

from newsletter.doctor.checks.findings import Check, Finding
from newsletter.store.database import Base

REMEDY = "Put the rows that are gone back from a backup; deleting more would take what they prove along."


def orphans(session: Session) -> Iterator[Finding]:
    """Every column that points at another table's rows points at rows that are there.

    The caller has imported newsletter.migrations.schema: a table that is not loaded would be passed over.
    """
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            yield from _astray(session.connection(), table, key.parent, key.column)


def _astray(connection: Connection, table: Table, here: Column[object], there: Column[object]) -> Iterator[Finding]:
    owner = there.table.alias("owner")
    gone = here.is_not(None) & ~exists().where(owner.c[there.name] == here)
    found, least = connection.execute(select(func.count(), func.min(here)).where(gone)).one()
    if found:
        says = f"{found:,} rows name a row of {there.table.name} that is gone, such as {least}"
        yield Finding(Check.ORPHANS, f"{table.name}.{here.name}", says, remedy=REMEDY)
