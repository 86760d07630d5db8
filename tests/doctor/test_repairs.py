"""Repairs rebuild derived data, change nothing else, are logged, and leave nothing to repair."""

import pytest
from sqlalchemy import delete, insert, select, text, update

from newsletter.audit_log import AuditEntry
from newsletter.consent.ledger.ledger import Evidence, LedgerEntry
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.doctor import examination
from newsletter.doctor.checks import expired_leases
from newsletter.doctor.checks.findings import Check, Finding
from newsletter.doctor.repairs import Repair, Repairer
from newsletter.mail.delivery import results
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.delivery.leases import LEASE_DURATION, Worker
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.store.database import Database
from tests.builders import KEYRING, a_newsletter, a_reader, a_worker, owed
from tests.clock import NOON


def repairer(database: Database) -> Repairer:
    return Repairer(
        reading=database.reading, writing=database.writing, actor="cli:ana", now=lambda: NOON, keyring=KEYRING
    )


def examine(database: Database) -> list[Finding]:
    with database.reading() as session:
        return examination.examine(session, keyring=KEYRING)


def repair(database: Database, **options) -> list[Repair]:
    """Repair the findings, and check that no fixable one is left."""
    found = {each.check for each in examine(database) if each.fixable}
    assert found
    repairs = repairer(database).repair(found, **options)
    assert not [each for each in examine(database) if each.fixable]
    return repairs


def logged(database: Database) -> list[tuple[str, str, object]]:
    with database.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.verb == "doctor mended").order_by(AuditEntry.id))
        return [(entry.actor, entry.subject, entry.fields) for entry in entries]


def kept(database: Database) -> list[object]:
    """Return the rows that no repair may change."""
    with database.reading() as session:
        return [
            [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in (LedgerEntry.__table__, Evidence.__table__, suppressions.Suppression.__table__)
        ]


def test_missing_triggers_are_recreated(database):
    with database.writing() as session:
        on = "" if database.is_sqlite else " ON acts"
        session.execute(text(f"DROP TRIGGER acts_refuses_delete{on}"))
    assert repair(database) == [Repair(Check.TRIGGERS, "triggers recreated: 1")]
    assert examine(database) == []
    assert logged(database) == [("cli:ana", "check:triggers", {"n": 1, "names": ["acts_refuses_delete"]})]


def test_subscriptions_are_rebuilt_from_the_ledger(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        reader, gone = a_reader(session, newsletter), a_reader(session, newsletter, standing=Standing.LEFT)
        session.execute(delete(Subscription).where(Subscription.subscriber_id == reader.id))
        session.execute(update(Subscription).values(standing=Standing.SUBSCRIBED))
    before = kept(database)
    assert repair(database) == [Repair(Check.STANDING, "subscriptions rebuilt from the ledger: 2")]
    assert examine(database) == []
    assert kept(database) == before
    with database.reading() as session:
        found = {row.subscriber_id: row.standing for row in session.scalars(select(Subscription))}
    assert found == {reader.id: Standing.SUBSCRIBED, gone.id: Standing.LEFT}
    assert logged(database) == [("cli:ana", "check:standing", {"n": 2, "subscribers": [reader.id, gone.id]})]


def test_missing_marks_are_set_and_no_mark_is_removed(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        never, marked = a_reader(session, newsletter), a_reader(session, newsletter, suppressed="complained")
        suppressions.add(session, KEYRING, str(never.address_key), Reason.NEVER, now=NOON)
        never.suppressed = None
    before = kept(database)
    assert [(each.check, each.fixable) for each in examine(database)] == [
        (Check.SUPPRESSED, True),
        (Check.SUPPRESSED, False),
    ]
    repair(database)
    (left,) = examine(database)
    assert left.about == f"subscriber {marked.id}"
    assert left.remedy
    assert kept(database) == before
    with database.reading() as session:
        assert session.get_one(Subscriber, never.id).suppressed == Reason.NEVER
        assert session.get_one(Subscriber, marked.id).suppressed == "complained"


def test_a_tally_that_counts_rows_twice_is_deleted_and_logged(database):
    with database.writing() as session:
        letter = owed(session, 2)[0].letter_id
        session.execute(insert(Tally).values(letter_id=letter, carrier_id=0, status=DeliveryStatus.SENT, n=2))
    repair(database)
    assert examine(database) == []
    assert logged(database)[0][2] == {"n": 1, "tallies": [[letter, 0, "sent", 2]]}


def test_a_missing_delivery_is_found_and_not_repaired(database):
    with database.writing() as session:
        row = owed(session, 2)[0]
        session.delete(row)
    (finding,) = examine(database)
    assert not finding.fixable
    assert finding.remedy
    assert repairer(database).repair({Check.SUMS}) == []
    assert examine(database) == [finding]


def test_a_claim_of_no_worker_goes_back_to_the_queue(database):
    with database.writing() as session:
        doubtful, sure = owed(session, 2, status=DeliveryStatus.CLAIMED)
        doubtful.doubts = 1
    assert repair(database) == [Repair(Check.DEAD_CLAIMS, "letters back in the queue, claimed by no known worker: 2")]
    with database.reading() as session:
        assert session.get_one(Delivery, doubtful.id).status is DeliveryStatus.IN_DOUBT
        assert session.get_one(Delivery, sure.id).status is DeliveryStatus.QUEUED
        assert session.get_one(Delivery, sure.id).deaths == 1, "its worker may have sent it"


class Time:
    """A clock that a wait moves forward, and that calls a function during each wait."""

    def __init__(self, meanwhile=lambda: None) -> None:
        self.now = 0.0
        self.meanwhile = meanwhile

    def wait(self, length: float) -> None:
        self.now += length
        self.meanwhile()

    def find_stopped(self, database: Database, **options):
        return expired_leases.find_stopped(database.reading, wait=self.wait, monotonic=lambda: self.now, **options)


@pytest.fixture
def workers(database) -> tuple[int, int]:
    """Two workers that hold a letter each."""
    with database.writing() as session:
        both = a_worker(session), a_worker(session)
        for worker in both:
            owed(session, 1, status=DeliveryStatus.CLAIMED, carrier_id=worker, attempt=1)
    return both


def heartbeat(database: Database, worker: int):
    def show() -> None:
        with database.writing() as session:
            session.execute(update(Worker).where(Worker.id == worker).values(beats=Worker.beats + 1))

    return show


def test_a_worker_that_misses_two_heartbeats_is_found_and_a_living_one_is_not(database, workers):
    living, stopped = workers
    time = Time(heartbeat(database, living))
    expired = time.find_stopped(database)
    assert time.now == pytest.approx(expired_leases.REPORT_AFTER, abs=expired_leases.POLL_INTERVAL)
    (finding,) = expired_leases.findings(expired)
    assert (finding.check, finding.about, finding.fixable) == (Check.DEAD_CLAIMS, f"worker {stopped}", True)
    assert finding.says == "its heartbeat stopped more than 12 seconds ago; letters that it holds: 1"


def test_there_is_no_wait_if_no_worker_holds_a_letter(database):
    time = Time()
    assert time.find_stopped(database) == {}
    assert time.now == 0


def test_the_wait_ends_when_every_worker_has_shown_a_heartbeat(database, workers):
    time = Time(lambda: [heartbeat(database, worker)() for worker in workers])
    assert time.find_stopped(database) == {}
    assert time.now == expired_leases.POLL_INTERVAL


def test_a_stopped_worker_whose_letters_were_reclaimed_meanwhile_is_no_finding(database, workers):
    def reclaim() -> None:
        with database.writing() as session:
            session.execute(update(Delivery).values(status=DeliveryStatus.QUEUED))

    assert Time(reclaim).find_stopped(database) == {}


def test_only_the_claims_of_the_stopped_worker_go_back_to_the_queue(database, workers):
    living, stopped = workers
    expired = Time(heartbeat(database, living)).find_stopped(database, after=LEASE_DURATION)
    repairs = repairer(database).repair({Check.DEAD_CLAIMS}, expired=expired)
    assert repairs == [Repair(Check.DEAD_CLAIMS, "letters back in the queue, claimed by workers that stopped: 1")]
    with database.reading() as session:
        rows = {row.carrier_id: (row.status, row.deaths) for row in session.scalars(select(Delivery))}
    assert rows == {living: (DeliveryStatus.CLAIMED, 0), stopped: (DeliveryStatus.QUEUED, 1)}
    assert logged(database) == [("cli:ana", "check:dead-claims", {"n": 1, "carriers": [stopped]})]


def test_a_worker_with_a_heartbeat_after_the_last_poll_keeps_its_claims(database, workers):
    _, stopped = workers
    expired = Time().find_stopped(database, after=LEASE_DURATION)
    heartbeat(database, stopped)()
    repairer(database).repair({Check.DEAD_CLAIMS}, expired=expired)
    with database.reading() as session:
        held = session.scalars(select(Delivery.carrier_id).where(Delivery.status == DeliveryStatus.CLAIMED))
        assert list(held) == [stopped]


def test_a_result_for_a_letter_reclaimed_and_claimed_again_is_ignored(database, workers):
    _, stopped = workers
    repairer(database).repair({Check.DEAD_CLAIMS}, expired=Time().find_stopped(database, after=LEASE_DURATION))
    with database.writing() as session:
        other = a_worker(session)
        mine = session.scalars(select(Delivery).where(Delivery.carrier_id == stopped)).one()
        mine.carrier_id, mine.attempt, mine.status = other, 2, DeliveryStatus.CLAIMED
    with database.writing() as session:
        assert not results.record(session, stopped, [Result(mine.id, 1, Outcome.TAKEN, None, NOON)], now=NOON)


def test_a_subscription_is_not_rebuilt_from_a_changed_ledger(database):
    with database.writing() as session:
        reader = a_reader(session, a_newsletter(session))
        last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.ordinal.desc()).limit(1)).one()
        connection = session.connection()
        on = "" if database.is_sqlite else " ON ledger"
        connection.execute(text(f"DROP TRIGGER ledger_refuses_update{on}"))
        session.execute(update(LedgerEntry).where(LedgerEntry.id == last.id).values(event="withdrawn"))
    repairer(database).repair({each.check for each in examine(database) if each.fixable})
    assert {each.check for each in examine(database)} == {Check.LEDGER, Check.STANDING}
    with database.reading() as session:
        assert (
            session.scalar(select(Subscription.standing).where(Subscription.subscriber_id == reader.id)) == "subscribed"
        )
