"""Read what the ledger and its evidence say about a person, as far as it is still stored (GDPR Art. 7(1), Art. 15)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.wordings.wordings import Wording
from newsletter.newsletters import Newsletter

PAGE_SIZE = 50  # entries read at once


class HistoryEntry(NamedTuple):
    """One entry with its evidence."""

    number: int  # of the entry in the ledger
    ordinal: int  # among those of the person
    event: Event
    at: datetime
    digest: bytes  # of the evidence, which stays when it is erased
    newsletter: Newsletter | None
    wording: Wording | None
    evidence: Mapping[str, str] | None  # None: it was erased
    trace: Mapping[str, str]  # IP address and browser, for 30 days

    @property
    def former_address(self) -> str | None:
        """The address that the person left for another one; only of an entry that moves a consent."""
        return (self.evidence or {}).get(EvidenceField.FORMER_ADDRESS)


class ConsentHistory(NamedTuple):
    """A part of a person's history, oldest first."""

    entries: list[HistoryEntry]
    has_earlier: bool


def read(session: Session, subject: bytes, *, before: int | None = None, limit: int = PAGE_SIZE) -> ConsentHistory:
    """Return the last entries of a person, at most `limit`, of those before the ordinal `before` if it is given."""
    rows = (
        select(LedgerEntry, Newsletter, Wording, Evidence.body, TraceRow.ip, TraceRow.user_agent)
        .outerjoin(Newsletter, Newsletter.id == LedgerEntry.newsletter_id)
        .outerjoin(Wording, Wording.id == LedgerEntry.wording_id)
        .outerjoin(Evidence, Evidence.entry_id == LedgerEntry.id)
        .outerjoin(TraceRow, TraceRow.entry_id == LedgerEntry.id)
        .where(LedgerEntry.subject == subject)
    )
    if before is not None:
        rows = rows.where(LedgerEntry.ordinal < before)
    found = session.execute(rows.order_by(LedgerEntry.ordinal.desc()).limit(limit + 1)).all()
    return ConsentHistory([_entry(*row) for row in reversed(found[:limit])], len(found) > limit)


def _entry(
    entry: LedgerEntry,
    newsletter: Newsletter | None,
    wording: Wording | None,
    body: bytes | None,
    ip: str | None,
    user_agent: str | None,
) -> HistoryEntry:
    stored: dict[str, Any] | None = json.loads(body) if body is not None else None
    evidence = {name: str(value) for name, value in stored.items()} if stored is not None else None
    traced = (EvidenceField.IP, ip), (EvidenceField.USER_AGENT, user_agent)
    trace: dict[str, str] = {name: value for name, value in traced if value}
    about = entry.id, entry.ordinal, entry.event, entry.at, entry.evidence_digest
    return HistoryEntry(*about, newsletter, wording, evidence, trace)
