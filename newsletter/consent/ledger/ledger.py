"""The consent ledger: append-only, and free of personal data.

An entry records an event of a *subject*, a random name for a person. Its personal part is stored in
`evidence`, bound to the entry by HMAC-SHA-256(salt, body): deleting the evidence erases the person, and without the
salt nobody can guess the body from the digest (GDPR Art. 7(1) and 17(3)(b)). IP addresses and user agents are stored in
`traces`, which no hash covers, so that they can be deleted earlier.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    ScalarSelect,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column
from sqlalchemy.sql.dml import ReturningInsert

from newsletter.consent.evidence_terms import Stored
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.wordings.wordings import Wording
from newsletter.newsletters import Newsletter
from newsletter.store import bulk_rows
from newsletter.store.database import Base, is_on_sqlite

TRACE_LIFETIME = timedelta(days=30)  # enough to investigate abuse; the proof does not need traces


class Event(StrEnum):
    """An event between a subject and a newsletter."""

    REQUESTED = "requested"  # somebody entered the address
    CONFIRMED = "confirmed"  # the owner of the inbox agreed
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"  # "never mail this address"
    LAPSED = "lapsed"  # not confirmed in time; the evidence is deleted


class Effect(NamedTuple):
    """The standing after an event, for a subject who has confirmed at least once and for one who never has."""

    if_confirmed: Standing | None
    if_unconfirmed: Standing | None


# The last of these events decides the standing. Other events do not change it: a subject who refuses all mail is
# suppressed, whatever their subscriptions say.
EFFECTS: Mapping[Event, Effect] = MappingProxyType(
    {
        Event.REQUESTED: Effect(Standing.ASKED, Standing.ASKED),
        Event.CONFIRMED: Effect(Standing.SUBSCRIBED, Standing.SUBSCRIBED),
        Event.WITHDRAWN: Effect(Standing.LEFT, Standing.LEFT),
        Event.LAPSED: Effect(Standing.LEFT, None),
    }
)


class LedgerEntry(Base):
    """One event of a subject. Triggers refuse UPDATE, DELETE and TRUNCATE without exception."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("subject", "ordinal"), Index(None, "at"))

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subject: Mapped[bytes] = mapped_column(LargeBinary(16))
    ordinal: Mapped[int]
    event: Mapped[Event]
    newsletter_id: Mapped[int | None] = mapped_column(ForeignKey("newsletters.id"))
    wording_id: Mapped[int | None] = mapped_column(ForeignKey("wordings.id"))
    at: Mapped[datetime]
    evidence_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    leaf: Mapped[bytes] = mapped_column(LargeBinary(32))


class HashedColumns(NamedTuple):
    """The columns of an entry that its leaf hash covers, in hashing order."""

    subject: bytes
    ordinal: int
    event: Event
    newsletter_id: int | None
    wording_id: int | None
    at: datetime
    evidence_digest: bytes


class Evidence(Base):
    """The personal part of an entry: who and how. Deleting the row erases it without breaking the ledger."""

    __tablename__ = "evidence"
    __table_args__ = {"info": {"personal": {"by": "entry_id", "on_erasure": "delete", "export": True}}}  # noqa: RUF012

    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger.id"), primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    body: Mapped[bytes]


class Trace(NamedTuple):
    """The IP address and user agent of a request."""

    ip: str | None
    user_agent: str | None


class TraceRow(Base):
    """A trace, stored for abuse control only and deleted at `expires_at`."""

    __tablename__ = "traces"
    __table_args__ = {"info": {"personal": {"by": "entry_id", "on_erasure": "delete", "export": True}}}  # noqa: RUF012

    entry_id: Mapped[int] = mapped_column(ForeignKey("ledger.id"), primary_key=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Entry(NamedTuple):
    """An entry to append."""

    subject: bytes
    event: Event
    newsletter_id: int | None
    wording_id: int | None
    at: datetime
    evidence: Stored
    trace: Trace | None
    salt: bytes  # 32 random bytes


def append(
    session: Session,
    subject: bytes,
    event: Event,
    *,
    newsletter: Newsletter | None = None,
    wording: Wording | None = None,
    evidence: Stored,
    trace: Trace | None,
    now: datetime,
) -> None:
    """Append an entry, and lock the subject's subscriber first, so that its ordinals have no gaps and no duplicates."""
    session.execute(select(Subscriber.id).where(Subscriber.subject == subject).with_for_update(key_share=True))
    about = newsletter.id if newsletter else None, wording.id if wording else None
    append_all(session, [Entry(subject, event, *about, now, evidence, trace, secrets.token_bytes(32))])


def append_all(session: Session, entries: Sequence[Entry], *, last: Mapping[bytes, int] | None = None) -> None:
    """Append entries in their order, with three statements however many they are, or four.

    The caller has locked the subjects' subscribers. `last` holds the ordinals of their last entries, as far as the
    caller has read them since (see `last_ordinal`); it is 0 for a subject that this transaction created.
    """
    session.flush()  # of what the caller's objects still hold: these statements bypass them
    known = last or {}
    ordinals = {**known, **_last_ordinals(session, {entry.subject for entry in entries} - known.keys())}
    rows, bodies = [], {}
    for entry in entries:
        ordinal = ordinals[entry.subject] = ordinals.get(entry.subject, 0) + 1
        body = canonical(entry.evidence)
        digest = hmac.digest(entry.salt, body, "sha256")
        hashed = HashedColumns(entry.subject, ordinal, *entry[1:5], digest)
        rows.append({**hashed._asdict(), "leaf": leaf(hashed)})
        bodies[entry.subject, ordinal] = entry, body
    on_sqlite = is_on_sqlite(session)
    inserted = session.execute(_insert_entries(on_sqlite=on_sqlite), {bulk_rows.INSERTED: bulk_rows.encode(rows)})
    ids = {(subject, ordinal): number for number, subject, ordinal in inserted}
    evidence, traces = [], []
    for key, (entry, body) in bodies.items():
        evidence.append({"entry_id": ids[key], "salt": entry.salt, "body": body})
        if entry.trace:
            expires_at = entry.at + TRACE_LIFETIME
            traces.append({"entry_id": ids[key], **entry.trace._asdict(), "expires_at": expires_at})
    session.execute(_insert_evidence(on_sqlite=on_sqlite), {bulk_rows.INSERTED: bulk_rows.encode(evidence)})
    if traces:
        session.execute(_insert_traces(on_sqlite=on_sqlite), {bulk_rows.INSERTED: bulk_rows.encode(traces)})


@cache
def _insert_entries(*, on_sqlite: bool) -> ReturningInsert[int, bytes, int]:
    table = cast("Table", LedgerEntry.__table__)
    statement = bulk_rows.insert(table, *HashedColumns._fields, "leaf", on_sqlite=on_sqlite)
    return statement.returning(table.c.id, table.c.subject, table.c.ordinal)


@cache
def _insert_evidence(*, on_sqlite: bool) -> bulk_rows.Insert:
    return bulk_rows.insert(cast("Table", Evidence.__table__), "entry_id", "salt", "body", on_sqlite=on_sqlite)


@cache
def _insert_traces(*, on_sqlite: bool) -> bulk_rows.Insert:
    columns = ("entry_id", *Trace._fields, "expires_at")
    return bulk_rows.insert(cast("Table", TraceRow.__table__), *columns, on_sqlite=on_sqlite)


def last_ordinal(subject: ColumnElement[bytes] | InstrumentedAttribute[bytes]) -> ScalarSelect[int]:
    """Select the ordinal of a subject's last entry; 0 if it has none."""
    last = select(func.coalesce(func.max(LedgerEntry.ordinal), 0)).where(LedgerEntry.subject == subject)
    return last.scalar_subquery()


def _last_ordinals(session: Session, subjects: Collection[bytes]) -> dict[bytes, int]:
    if not subjects:
        return {}
    last = select(LedgerEntry.subject, func.max(LedgerEntry.ordinal)).where(LedgerEntry.subject.in_(subjects))
    return {row[0]: row[1] for row in session.execute(last.group_by(LedgerEntry.subject))}


def standing(history: Iterable[Event]) -> Standing | None:
    """Return the standing after a subject's events about one newsletter, oldest first; None if they decide nothing.

    `standings.derived` computes the same in SQL for the whole ledger, from the same table of effects.
    """
    last, is_confirmed = Effect(None, None), False
    for event in history:
        last = EFFECTS.get(event, last)
        is_confirmed = is_confirmed or event is Event.CONFIRMED
    return last.if_confirmed if is_confirmed else last.if_unconfirmed


def canonical(evidence: Stored) -> bytes:
    """Return the canonical bytes of evidence: JSON with sorted keys, in UTF-8, without spaces between tokens."""
    return json.dumps(dict(evidence), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def leaf(entry: LedgerEntry | HashedColumns) -> bytes:
    """Return the entry's leaf hash (RFC 6962 section 2.1): SHA-256(0x00 || columns, each after its 4-byte length)."""
    columns = (
        entry.subject,
        str(entry.ordinal).encode(),
        entry.event.encode(),
        str(entry.newsletter_id or "").encode(),
        str(entry.wording_id or "").encode(),
        entry.at.astimezone(UTC).isoformat(timespec="microseconds").encode(),
        entry.evidence_digest,
    )
    return hashlib.sha256(b"\x00" + b"".join(len(c).to_bytes(4, "big") + c for c in columns)).digest()


def history(session: Session, subject: bytes) -> list[LedgerEntry]:
    """Return all entries of a subject, oldest first."""
    return list(
        session.scalars(select(LedgerEntry).where(LedgerEntry.subject == subject).order_by(LedgerEntry.ordinal))
    )
