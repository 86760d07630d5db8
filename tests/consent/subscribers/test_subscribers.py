"""Subscribers: one row per address, and a lock that only another decision about the person holds up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from newsletter import addresses
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from tests.builders import a_newsletter, a_reader, a_subscriber
from tests.clock import NOON
from tests.servers.databases import opened

ANA = addresses.parse("Ana@example.org")


def test_an_address_has_one_subscriber_and_keeps_its_first_spelling(begin):
    with begin() as session:
        first = a_subscriber(session, "Ana@example.org")
        again = a_subscriber(session, "ANA@Example.org", now=NOON + timedelta(days=1))
        other = a_subscriber(session, "eve@example.org")
        assert again is first
        assert (first.address, first.address_key, first.created_at) == ("Ana@example.org", "ana@example.org", NOON)
        assert other.subject != first.subject
        assert len(other.subject) == 16


def test_concurrent_callers_get_the_same_subscriber(begin, reading):
    def create(number: int) -> tuple[int, int]:
        with begin() as session:
            return number, a_subscriber(session, f"{number // 4}@example.org").id

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(80)))
    assert len({(number // 4, subscriber_id) for number, subscriber_id in results}) == 20
    with reading() as session:
        assert len(session.scalars(select(Subscriber)).all()) == 20


def test_the_lock_does_not_wait_for_inserts_that_reference_the_subscriber(postgresql_url):
    # An insert locks the rows that its foreign keys reference until the transaction ends: long for a million readers.
    database = opened(postgresql_url)
    with database.writing() as session:
        reader = a_reader(session, a_newsletter(session))
        evening = a_newsletter(session, "evening")
    with database.writing() as long, database.writing() as short:
        long.add(Subscription(subscriber_id=reader.id, newsletter_id=evening.id, standing=Standing.ASKED, since=NOON))
        long.flush()
        short.execute(text("SET LOCAL lock_timeout = '2s'"))
        assert subscribers.lock_by_key(short, reader.address_key)
    database.close()


def test_locking_a_subscriber_reads_the_row_again(begin):
    with begin() as session:
        a_subscriber(session, ANA.written)
        known = session.scalars(select(Subscriber)).one()
        session.execute(text("UPDATE subscribers SET suppressed = 'never'"))
        assert subscribers.lock_by_key(session, ANA.key).suppressed == "never"
        assert known.suppressed == "never"


def test_since_is_the_time_of_the_last_change_of_standing(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, standing=Standing.ASKED)
        for hours, standing in enumerate([Standing.ASKED, Standing.SUBSCRIBED, Standing.SUBSCRIBED], start=1):
            subscribers.set_standing(session, reader.id, newsletter.id, standing, now=NOON + timedelta(hours=hours))
        found = subscribers.subscriptions(session, reader.id)
        assert found.keys() == {newsletter.id}
        assert (found[newsletter.id].standing, found[newsletter.id].since) == (
            Standing.SUBSCRIBED,
            NOON + timedelta(hours=2),
        )


def test_only_confirmed_and_unsuppressed_readers_are_counted(begin):
    with begin() as session:
        newsletter, other = a_newsletter(session), a_newsletter(session, "evening")
        for standing in Standing:
            a_reader(session, newsletter, standing=standing)
        a_reader(session, newsletter, suppressed="complained")
        a_reader(session, other)
        assert subscribers.count(session, newsletter.id) == 1
        assert subscribers.count(session, 99) == 0


@pytest.mark.parametrize("standing", Standing)
def test_deleting_a_subscriber_deletes_the_subscription(begin, standing):
    with begin() as session:
        reader = a_reader(session, a_newsletter(session), standing=standing)
        session.delete(reader)
        session.flush()
        assert session.scalars(select(Subscription)).all() == []
