"""Insert hundreds of thousands of confirmed readers with COPY.

Ledger hashes and evidence are computed as the ledger computes them, so that `newsletter doctor` finds no fault.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, LedgerEntry
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.wordings.wordings import Wording
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database

READERS_PER_TRANSACTION = 20_000
NAMES = ("Ana", "Jürgen", "Łucja", "Дарья", "小雪", "O'Neill", None, "José María", "Anne-Sophie", "Λευκή")

COLUMNS = {
    "subscribers": ("id", "subject", "address", "address_key", "fold_key", "name", "created_at"),
    "subscriptions": ("subscriber_id", "newsletter_id", "standing", "cadence", "since", "language"),
    "ledger": (*("id", "subject", "ordinal", "event", "newsletter_id", "wording_id", "at", "evidence_digest", "leaf"),),
    "evidence": ("entry_id", "salt", "body"),
}


@dataclass(frozen=True)
class ReaderRows:
    """The rows of a newsletter's readers, numbered from 1."""

    newsletter: Newsletter
    wording: Wording
    keyring: Keyring
    now: datetime
    languages: tuple[str, ...] = ()  # that readers chose, in turns; none: all get the newsletter's

    def insert(self, database: Database, number: int, show_progress: Callable[[int, int], None]) -> None:
        """Insert that many readers into an empty PostgreSQL database."""
        for first in range(1, number + 1, READERS_PER_TRANSACTION):
            numbers = range(first, min(first + READERS_PER_TRANSACTION, number + 1))
            with database.writing() as session:
                self._copy(session, numbers)
            show_progress(numbers[-1], number)
        with database.writing() as session:
            for table in ("subscribers", "ledger"):  # the next row gets the next number
                restart = "SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"
                session.execute(text(restart), {"table": table, "last": number})

    def _copy(self, session: Session, numbers: Iterable[int]) -> None:
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
        for number in numbers:
            self._add(rows, number)
        driver: Any = session.connection().connection.driver_connection
        with driver.cursor() as cursor:
            for table, columns in COLUMNS.items():
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
                with cursor.copy(into) as copy:
                    for row in rows[table]:
                        copy.write_row(row)

    def _add(self, rows: dict[str, list[tuple[Any, ...]]], number: int) -> None:
        subject, salt, address = secrets.token_bytes(16), secrets.token_bytes(32), address_of(number)
        evidence = {
            EvidenceField.ADDRESS: address,
            EvidenceField.CONFIRM_PAGE: self.wording.confirm_exhibit,
            EvidenceField.METHOD: EvidenceTerm.BUTTON_BEHIND_LINK,
        }
        body = ledger.canonical(evidence)
        entry = LedgerEntry(
            subject=subject,
            ordinal=1,
            event=Event.CONFIRMED,
            newsletter_id=self.newsletter.id,
            wording_id=self.wording.id,
            at=self.now,
            evidence_digest=hmac.digest(salt, body, "sha256"),
            leaf=b"",
        )
        leaf = ledger.leaf(entry)
        # As of every subscriber of this release: otherwise the workers fold them while they are measured.
        fold = inboxes.fold(self.keyring, inboxes.inbox(address).key)
        rows["subscribers"].append((number, subject, address, address, fold, NAMES[number % len(NAMES)], self.now))
        language = self.languages[number % len(self.languages)] if self.languages else None
        subscription = (number, self.newsletter.id, Standing.SUBSCRIBED.value, "every", self.now, language)
        rows["subscriptions"].append(subscription)
        rows["ledger"].append(
            (
                *(number, subject, 1, Event.CONFIRMED.value, self.newsletter.id, self.wording.id, self.now),
                *(entry.evidence_digest, leaf),
            )
        )
        rows["evidence"].append((number, salt, body))


def address_of(number: int) -> str:
    """Return a reader's address, in a domain that RFC 2606 reserves, so that it receives no mail."""
    return f"reader{number}@bench.example"
