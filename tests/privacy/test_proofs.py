"""The proof of a consent is erased at the end of the third year after its reader has left, as the form promises."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text, update

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Suppression
from newsletter.doctor import examination
from newsletter.links import Purpose
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.privacy import proofs
from newsletter.store.database import Begin
from tests.builders import a_delivery, a_letter, a_newsletter, a_reader, an_issue
from tests.query_plans import generic_plan, prepare_everything
from tests.servers.databases import opened

NEW_YEAR = datetime(2030, 1, 2, tzinfo=UTC)  # the year has begun in every zone; people of these tests left in 2026
BEFORE = datetime(2030, 1, 1, tzinfo=UTC)


def erase(begin: Begin, *, now: datetime = NEW_YEAR) -> int:
    with begin() as session:
        return proofs.erase_due(session, now=now)


def kept_events(reading: Begin) -> list[tuple[Event, int | None]]:
    """Check that doctor finds nothing, and return the entries that still have evidence."""
    with reading() as session:
        assert examination.examine(session) == []
        entries = session.scalars(select(LedgerEntry).join(Evidence).order_by(LedgerEntry.id))
        return [(entry.event, entry.newsletter_id) for entry in entries]


def test_the_proof_and_the_reader_go_at_the_end_of_the_third_year(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, standing=Standing.LEFT, name="Invented Name")
        issue = a_letter(session, newsletter, issue=an_issue(session, newsletter))
        a_delivery(session, issue, reader, status="sent", decided_at=NEW_YEAR)
        subject = reader.subject
    assert erase(begin, now=BEFORE) == 0
    assert len(kept_events(reading)) == 3
    assert erase(begin) == 1
    assert kept_events(reading) == []
    with reading() as session:
        assert session.scalars(select(Subscriber)).all() == session.scalars(select(Subscription)).all() == []
        events = [entry.event for entry in ledger.history(session, subject)]
        assert events == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN]
        assert session.scalars(select(Delivery.subscriber_id)).all() == [None]
    assert erase(begin) == 0


def test_only_the_proof_of_what_was_left_goes_while_a_person_reads_something(begin, reading):
    with begin() as session:
        left, read = a_newsletter(session), a_newsletter(session, "evening")
        reader = a_reader(session, left, "ana@mail.example.org", standing=Standing.LEFT)
        a_reader(session, read, "ana@mail.example.org")
    assert erase(begin) == 1
    assert kept_events(reading) == [(Event.REQUESTED, read.id), (Event.CONFIRMED, read.id)]
    assert erase(begin) == 0, "it is not looked at again"
    with begin() as session:
        ledger.append(session, reader.subject, Event.WITHDRAWN, newsletter=read, evidence={}, trace=None, now=NEW_YEAR)
        subscribers.set_standing(session, reader.id, read.id, Standing.LEFT, now=NEW_YEAR)
    assert erase(begin, now=datetime(2033, 12, 31, tzinfo=UTC)) == 0
    assert erase(begin, now=datetime(2034, 1, 2, tzinfo=UTC)) == 1
    assert kept_events(reading) == []
    with reading() as session:
        assert session.scalars(select(Subscriber)).all() == []


def test_who_came_back_and_left_again_has_a_new_proof(begin, reading):
    with begin() as session:
        left, read = a_newsletter(session), a_newsletter(session, "evening")
        reader = a_reader(session, left, "ana@mail.example.org", standing=Standing.LEFT)
        a_reader(session, read, "ana@mail.example.org")
    erase(begin)
    for standing, event in (
        (Standing.ASKED, Event.REQUESTED),
        (Standing.SUBSCRIBED, Event.CONFIRMED),
        (Standing.LEFT, Event.WITHDRAWN),
    ):
        with begin() as session:
            now = NEW_YEAR.replace(day=3)
            ledger.append(session, reader.subject, event, newsletter=left, evidence={}, trace=None, now=now)
            subscribers.set_standing(session, reader.id, left.id, standing, now=now)
    assert erase(begin, now=datetime(2033, 12, 31, tzinfo=UTC)) == 0
    assert len(kept_events(reading)) == 5
    assert erase(begin, now=datetime(2034, 1, 2, tzinfo=UTC)) == 1
    assert kept_events(reading) == [(Event.REQUESTED, read.id), (Event.CONFIRMED, read.id)]


def test_readers_keep_their_proof_however_long_they_read(begin, reading):
    with begin() as session:
        a_reader(session, a_newsletter(session))
    assert erase(begin, now=datetime(2066, 1, 2, tzinfo=UTC)) == 0
    assert len(kept_events(reading)) == 2


def test_a_person_who_signs_up_again_meanwhile_is_not_deleted(service):
    service.newsletter()
    letter = service.reader("ana@mail.example.org")
    service.browser.post(service.link(letter, "u"), data={"List-Unsubscribe": "One-Click"})
    service.clock.time = NEW_YEAR
    service.sign_up("ana@mail.example.org")
    with service.site.database.writing() as session:
        assert proofs.erase_due(session, now=NEW_YEAR) == 0
    with service.site.database.reading() as session:
        assert len(session.scalars(select(Subscriber)).all()) == 1


def test_a_person_who_said_never_is_forgotten_and_never_written_to(service):
    service.newsletter()
    letter = service.reader("ana@mail.example.org")
    service.browser.post(service.link(letter, Purpose.NEVER), data={"never": "yes"})
    service.clock.time = NEW_YEAR
    service.run()
    with service.site.database.reading() as session:
        assert session.scalars(select(Subscriber)).all() == session.scalars(select(Evidence)).all() == []
        assert session.scalars(select(Suppression)).all()
        assert examination.examine(session, keyring=service.site.keyring) == []
    service.sign_up("ana@mail.example.org")
    service.run()
    assert len(service.letters()) == 1


def test_proofs_are_erased_in_batches(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        for _ in range(proofs.BATCH_SIZE + 3):
            a_reader(session, newsletter, standing=Standing.LEFT)
    assert [erase(begin) for _ in range(3)] == [proofs.BATCH_SIZE, 3, 0]
    assert kept_events(reading) == []


@pytest.mark.slow
def test_only_due_subscriptions_are_read(postgresql_url):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, standing=Standing.LEFT)
        others = [a_reader(session, newsletter, standing=Standing.LEFT).id for _ in range(300)]
        session.execute(update(Subscription).where(Subscription.subscriber_id.in_(others)).values(since=NEW_YEAR))
        session.execute(text("ANALYZE subscriptions"))
        session.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small
        prepare_everything(session)
        assert proofs.erase_due(session, now=NEW_YEAR) == 1
        assert session.get(Subscriber, reader.id, populate_existing=True) is None
        plan = generic_plan(session, "SELECT subscriptions.subscriber_id%LIMIT%")
    assert "Index Scan using ix_subscriptions_left_with_proof" in plan
