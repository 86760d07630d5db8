"""Leaves for the whole ledger: which entries may have been changed since they were written.

PostgreSQL computes the same hash as `ledger.leaf` over a million entries in seconds; what does not fit there is looked
at again here, so that only `ledger.leaf` ever calls an entry changed. SQLite has no such function, and few entries.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, String, cast, func, literal, select, type_coerce
from sqlalchemy.orm import Session

from newsletter.consent import ledger
from newsletter.consent.ledger import Fact, LedgerEntry

CHUNK = 1000  # entries in memory at a time
MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'  # what isoformat writes


def changed(session: Session) -> Iterator[int]:
    """The entries that are not what they were, by id."""
    columns = (getattr(LedgerEntry, name) for name in Fact._fields)
    entries = (
        select(LedgerEntry.id, LedgerEntry.leaf, *columns).order_by(LedgerEntry.id).execution_options(yield_per=CHUNK)
    )
    if session.get_bind().dialect.name == "postgresql":
        entries = entries.where(suspect())
    for number, leaf, *fact in session.execute(entries):
        if ledger.leaf(Fact._make(fact)) != leaf:
            yield number


def suspect() -> ColumnElement[bool]:
    """Whether PostgreSQL comes to another hash than the one that stands there."""
    columns = (
        LedgerEntry.subject,
        _text(LedgerEntry.ordinal),
        _text(LedgerEntry.event),
        _text(LedgerEntry.newsletter_id),
        _text(LedgerEntry.wording_id),
        _bytes(func.to_char(func.timezone("UTC", LedgerEntry.at), MOMENT)),
        LedgerEntry.evidence_digest,
    )
    whole: ColumnElement[Any] = type_coerce(func.decode("00", "hex"), LargeBinary)
    for column in columns:
        whole = whole.concat(func.int4send(func.length(column))).concat(column)
    return func.sha256(whole) != LedgerEntry.leaf


def _text(column: Any) -> ColumnElement[bytes]:
    return _bytes(func.coalesce(cast(column, String), literal("")))


def _bytes(text: ColumnElement[str]) -> ColumnElement[bytes]:
    return func.convert_to(text, "UTF8")
