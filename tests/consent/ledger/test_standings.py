"""Standings derived from the whole ledger in one statement, and subscriptions rebuilt from them."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from newsletter.consent.ledger import ledger, standings
from newsletter.consent.ledger.ledger import Event, LedgerEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscription
from newsletter.store.database import Database
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON
from tests.servers.databases import opened

HISTORIES = st.lists(st.lists(st.sampled_from(list(Event)), max_size=7), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=60)
@given(histories=HISTORIES)
def test_one_statement_derives_the_same_standings_as_the_fold_over_each_history(sqlite_url, histories):
    with closing(opened(sqlite_url)) as database:
        compare(database, histories)


@settings(max_examples=20)
@given(histories=HISTORIES)
def test_postgresql_derives_the_same_standings(postgresql_url, histories):
    with closing(opened(postgresql_url)) as database:
        compare(database, histories)


def compare(database: Database, histories: list[list[Event]]) -> None:
    derived = standings.derived()
    with database.writing() as session:
        newsletter = a_newsletter(session, f"n{len(session.scalars(select(LedgerEntry.id)).all())}x{id(histories)}")
        subjects = {}
        for history in histories:
            reader = a_reader(session, newsletter, standing=Standing.ASKED)
            for event in history:
                ledger.append(session, reader.subject, event, newsletter=newsletter, evidence={}, trace=None, now=NOON)
            subjects[reader.subject] = ledger.standing([Event.REQUESTED, *history])
        of_newsletter = derived.c.newsletter_id == newsletter.id
        rows = session.execute(select(derived.c.subject, derived.c.standing).where(of_newsletter))
        assert {subject: standing for subject, standing in rows if subject in subjects} == subjects
        session.rollback()


def differing(session) -> list[tuple[object, ...]]:
    return [tuple(row) for row in session.execute(standings.differing())]


def test_a_rebuilt_subscription_keeps_the_reader_s_choices(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader, gone = a_reader(session, newsletter), a_reader(session, newsletter, standing=Standing.LEFT)
        session.execute(
            update(Subscription)
            .where(Subscription.subscriber_id == reader.id)
            .values(standing=Standing.LEFT, cadence="weekly")
        )
        session.execute(delete(Subscription).where(Subscription.subscriber_id == gone.id))
    with begin() as session:
        assert differing(session) == [
            (reader.id, newsletter.id, Standing.LEFT, Standing.SUBSCRIBED),
            (gone.id, newsletter.id, None, Standing.LEFT),
        ]
        assert all(standings.rebuild(session, *row[:2]) for row in differing(session))
        assert differing(session) == []
        row = session.get_one(Subscription, (reader.id, newsletter.id))
        assert (row.standing, row.cadence, row.since) == (Standing.SUBSCRIBED, "weekly", NOON)


def test_a_subscription_without_ledger_entries_is_deleted(begin):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        reader = a_reader(session, newsletter)
        session.add(
            Subscription(subscriber_id=reader.id, newsletter_id=other.id, standing=Standing.SUBSCRIBED, since=NOON)
        )
        session.flush()
        assert standings.rebuild(session, reader.id, other.id)
        assert session.get(Subscription, (reader.id, other.id)) is None
        assert session.get_one(Subscription, (reader.id, newsletter.id)).standing is Standing.SUBSCRIBED


def test_missing_or_changed_entries_are_not_whole(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter)
        entries = ledger.history(session, reader.subject)
        assert standings.is_whole(entries)
        assert not standings.is_whole(entries[1:])
        session.expunge(entries[1])
        entries[1].event = Event.WITHDRAWN
        assert not standings.is_whole(entries)
