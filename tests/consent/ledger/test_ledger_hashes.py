"""PostgreSQL computes the same leaf hash as the ledger, so that Python checks only suspicious entries again."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from newsletter.consent.ledger import ledger, ledger_hashes
from newsletter.consent.ledger.ledger import Event, LedgerEntry
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON
from tests.servers.databases import opened

MOMENTS = [NOON, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]


@pytest.mark.parametrize("now", MOMENTS)
def test_postgresql_computes_the_same_hash_for_an_unchanged_entry(postgresql_url, now):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        reader = a_reader(session, a_newsletter(session))
        for event in (Event.WITHDRAWN, Event.REFUSED):
            ledger.append(session, reader.subject, event, evidence={}, trace=None, now=now)
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 4
        assert session.scalar(select(func.count()).select_from(LedgerEntry).where(ledger_hashes.hash_differs())) == 0
        assert list(ledger_hashes.changed(session)) == []
