"""Check the leaf hashes of the whole ledger, to find entries that were changed after they were written.

PostgreSQL computes the same hash as `ledger.leaf` over a million entries in seconds. Python checks every mismatch
again, so only `ledger.leaf` decides that an entry was changed. SQLite has no SHA-256, so Python checks all its entries,
which are few.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, String, cast, func, literal, select, type_coerce
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import HashedColumns, LedgerEntry
from newsletter.store.database import is_on_sqlite

ROWS_PER_FETCH = 1000  # entries in memory at a time
ISO_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'  # as datetime.isoformat writes a UTC time


def changed(session: Session) -> Iterator[int]:
    """Yield the ids of the entries whose columns do not match their leaf hash, in order."""
    columns = (getattr(LedgerEntry, name) for name in HashedColumns._fields)
    entries = select(LedgerEntry.id, LedgerEntry.leaf, *columns).order_by(LedgerEntry.id)
    entries = entries.execution_options(yield_per=ROWS_PER_FETCH)
    if not is_on_sqlite(session):
        entries = entries.where(hash_differs())
    for entry_id, leaf, *hashed in session.execute(entries):
        if ledger.leaf(HashedColumns._make(hashed)) != leaf:
            yield entry_id


def hash_differs() -> ColumnElement[bool]:
    """Return an SQL condition: PostgreSQL computes another leaf hash than the stored one."""
    columns = (
        LedgerEntry.subject,
        _text(LedgerEntry.ordinal),
        _text(LedgerEntry.event),
        _text(LedgerEntry.newsletter_id),
        _text(LedgerEntry.wording_id),
        _bytes(func.to_char(func.timezone("UTC", LedgerEntry.at), ISO_FORMAT)),
        LedgerEntry.evidence_digest,
    )
    hashed: ColumnElement[Any] = type_coerce(func.decode("00", "hex"), LargeBinary)
    for column in columns:
        hashed = hashed.concat(func.int4send(func.length(column))).concat(column)
    return func.sha256(hashed) != LedgerEntry.leaf


def _text(column: Any) -> ColumnElement[bytes]:
    return _bytes(func.coalesce(cast(column, String), literal("")))


def _bytes(text: ColumnElement[str]) -> ColumnElement[bytes]:
    return func.convert_to(text, "UTF8")
