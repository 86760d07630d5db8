"""Readers by the hundred thousand: the rows that each would have who has signed up and confirmed.

They are copied into the tables (COPY), the ledger's hashes and their evidence computed as the ledger computes them, so
that everything which checks the books finds them in order.
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

from newsletter.consent import ledger
from newsletter.consent.ledger import Event, LedgerEntry
from newsletter.consent.subscribers import Standing
from newsletter.consent.wordings import Wording
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database

AT_ONCE = 20_000  # readers in a transaction
NAMES = ("Ana", "Jürgen", "Łucja", "Дарья", "小雪", "O'Neill", None, "José María", "Anne-Sophie", "Λευκή")

COLUMNS = {
    "subscribers": ("id", "subject", "address", "address_key", "name", "created_at"),
    "subscriptions": ("subscriber_id", "newsletter_id", "standing", "cadence", "since"),
    "ledger": (*("id", "subject", "ordinal", "event", "newsletter_id", "wording_id", "at", "evidence_digest", "leaf"),),
    "evidence": ("entry_id", "salt", "body"),
}


@dataclass(frozen=True)
class ReaderRows:
    """Who reads a newsletter, by number from 1."""

    newsletter: Newsletter
    wording: Wording
    now: datetime

    def settle_in(self, database: Database, number: int, told: Callable[[int], None]) -> None:
        """Add so many to an empty PostgreSQL database; `told` how many more there are, now and then."""
        for first in range(1, number + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, number + 1))
            with database.writing() as session:
                self._copy(session, numbers)
            told(len(numbers))
        with database.writing() as session:
            for table in ("subscribers", "ledger"):  # whoever comes next gets the next number
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
        page = self.wording.confirm_exhibit
        body = ledger.canonical({"address": address, "confirm_page": page, "method": "button on the web"})
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
        rows["subscribers"].append((number, subject, address, address, NAMES[number % len(NAMES)], self.now))
        rows["subscriptions"].append((number, self.newsletter.id, Standing.SUBSCRIBED.value, "every", self.now))
        rows["ledger"].append(
            (
                *(number, subject, 1, Event.CONFIRMED.value, self.newsletter.id, self.wording.id, self.now),
                *(entry.evidence_digest, leaf),
            )
        )
        rows["evidence"].append((number, salt, body))


def address_of(number: int) -> str:
    """Where the reader of that number is written to: nowhere, for RFC 2606 keeps that domain from everybody."""
    return f"reader{number}@bench.example"
