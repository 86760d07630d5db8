"""Mending puts right what is derived, touches nothing else, says what it did, and finds nothing the second time."""

import pytest
from sqlalchemy import delete, insert, select, text, update

from newsletter.audit_log import AuditEntry
from newsletter.consent import suppressions
from newsletter.consent.ledger import Evidence, LedgerEntry
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.suppressions import Reason
from newsletter.doctor import examination
from newsletter.doctor.checks import expired_leases
from newsletter.doctor.checks.findings import Check
from newsletter.doctor.repairs import Repair, Repairer
from newsletter.mail.delivery import results
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, Tally
from newsletter.mail.delivery.leases import Worker
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.store.database import Database
from tests.builders import KEYRING, a_newsletter, a_reader, a_worker, owed
from tests.clock import NOON


def mender(database: Database) -> Repairer:
    return Repairer(
        reading=database.reading, writing=database.writing, actor="cli:ana", now=lambda: NOON, keyring=KEYRING
    )


def examine(database: Database) -> list[examination.Finding]:
    with database.reading() as session:
        return examination.examine(session, keyring=KEYRING)


def mend(database: Database, **given) -> list[Repair]:
    """Mend what was found; there is nothing to mend afterwards."""
    found = {each.check for each in examine(database) if each.fixable}
    assert found
    mended = mender(database).mend(found, **given)
    assert not [each for each in examine(database) if each.fixable]
    return mended


def acts(database: Database) -> list[tuple[str, str, object]]:
    with database.reading() as session:
        done = session.scalars(select(AuditEntry).where(AuditEntry.verb == "doctor mended").order_by(AuditEntry.id))
        return [(act.actor, act.subject, act.fields) for act in done]


def kept(database: Database) -> list[object]:
    """What no mend may change."""
    with database.reading() as session:
        return [
            [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in (LedgerEntry.__table__, Evidence.__table__, suppressions.Suppression.__table__)
        ]


def test_triggers_are_made_again(database):
    with database.writing() as session:
        on = "" if database.is_sqlite else " ON acts"
        session.execute(text(f"DROP TRIGGER acts_refuses_delete{on}"))
    assert mend(database) == [Repair(Check.TRIGGERS, "1 triggers are there again")]
    assert examine(database) == []
    assert acts(database) == [("cli:ana", "check:triggers", {"n": 1, "names": ["acts_refuses_delete"]})]


def test_subscriptions_are_rebuilt_from_the_ledger(database):
    with database.writing() as session:
        newsletter = a_newsletter(session)
        reader, gone = a_reader(session, newsletter), a_reader(session, newsletter, standing=Standing.LEFT)
        session.execute(delete(Subscription).where(Subscription.subscriber_id == reader.id))
        session.execute(update(Subscription).values(standing=Standing.SUBSCRIBED))
    before = kept(database)
    assert mend(database) == [Repair(Check.STANDING, "2 subscriptions say again what the ledger says")]
    assert examine(database) == []
    assert kept(database) == before
    with database.reading() as session:
        found = {row.subscriber_id: row.standing for row in session.scalars(select(Subscription))}
    assert found == {reader.id: Standing.SUBSCRIBED, gone.id: Standing.LEFT}
    assert acts(database) == [("cli:ana", "check:standing", {"n": 2, "subscribers": [reader.id, gone.id]})]


def test_whom_a_suppression_names_is_marked_again_and_no_mark_is_taken_away(database):
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
    mend(database)
    (left,) = examine(database)
    assert left.about == f"subscriber {marked.id}"
    assert left.remedy
    assert kept(database) == before
    with database.reading() as session:
        assert session.get_one(Subscriber, never.id).suppressed == Reason.NEVER
        assert session.get_one(Subscriber, marked.id).suppressed == "complained"


def test_a_tally_that_counts_rows_twice_is_dropped_and_remembered(database):
    with database.writing() as session:
        letter = owed(session, 2)[0].letter_id
        session.execute(insert(Tally).values(letter_id=letter, carrier_id=0, status=DeliveryStatus.SENT, n=2))
    mend(database)
    assert examine(database) == []
    assert acts(database)[0][2] == {"n": 1, "tallies": [[letter, 0, "sent", 2]]}


def test_a_missing_delivery_is_named_and_left(database):
    with database.writing() as session:
        row = owed(session, 2)[0]
        session.delete(row)
    (finding,) = examine(database)
    assert not finding.fixable
    assert finding.remedy
    assert mender(database).mend({Check.SUMS}) == []
    assert examine(database) == [finding]


def test_a_claim_of_nobody_waits_again(database):
    with database.writing() as session:
        doubtful, sure = owed(session, 2, status=DeliveryStatus.CLAIMED)
        doubtful.doubts = 1
    assert mend(database) == [Repair(Check.DEAD_CLAIMS, "2 letters that nobody carried wait again")]
    with database.reading() as session:
        assert session.get_one(Delivery, doubtful.id).status is DeliveryStatus.IN_DOUBT
        assert session.get_one(Delivery, sure.id).status is DeliveryStatus.QUEUED
        assert session.get_one(Delivery, sure.id).deaths == 1, "its process may have sent it before its row was lost"


class Time:
    """A clock that a wait moves, and what happens while it does."""

    def __init__(self, happens=lambda: None) -> None:
        self.now = 0.0
        self.happens = happens

    def wait(self, length: float) -> None:
        self.now += length
        self.happens()

    def silent(self, database: Database, **given):
        return expired_leases.silent(database.reading, wait=self.wait, clock=lambda: self.now, **given)


@pytest.fixture
def carried(database) -> tuple[int, int]:
    """Two carriers with a letter each."""
    with database.writing() as session:
        both = a_worker(session), a_worker(session)
        for carrier in both:
            owed(session, 1, status=DeliveryStatus.CLAIMED, carrier_id=carrier, attempt=1)
    return both


def beat(database: Database, carrier: int):
    def happens() -> None:
        with database.writing() as session:
            session.execute(update(Worker).where(Worker.id == carrier).values(beats=Worker.beats + 1))

    return happens


def test_who_has_not_beaten_for_two_beats_is_named_and_who_beats_is_not(database, carried):
    living, dead = carried
    time = Time(beat(database, living))
    quiet = time.silent(database)
    assert time.now == pytest.approx(expired_leases.NOTICE, abs=expired_leases.LOOK)
    (finding,) = expired_leases.findings(quiet)
    assert (finding.check, finding.about, finding.fixable) == (Check.DEAD_CLAIMS, f"carrier {dead}", True)
    assert finding.says == "1 letters are in its hands, and it has not beaten for 12 seconds"


def test_nobody_waits_where_nobody_holds_a_letter(database):
    time = Time()
    assert time.silent(database) == {}
    assert time.now == 0


def test_nobody_waits_longer_than_until_everybody_moved(database, carried):
    time = Time(lambda: [beat(database, carrier)() for carrier in carried])
    assert time.silent(database) == {}
    assert time.now == expired_leases.LOOK


def test_a_dead_carrier_whose_letters_went_on_meanwhile_is_nobody_s_trouble(database, carried):
    def handed_back() -> None:
        with database.writing() as session:
            session.execute(update(Delivery).values(status=DeliveryStatus.QUEUED))

    assert Time(handed_back).silent(database) == {}


def test_only_the_dead_carrier_s_claims_are_handed_back(database, carried):
    living, dead = carried
    quiet = Time(beat(database, living)).silent(database, longest=expired_leases.DEAD)
    mended = mender(database).mend({Check.DEAD_CLAIMS}, quiet=quiet)
    assert mended == [Repair(Check.DEAD_CLAIMS, "1 letters were handed back: who carried them has fallen silent")]
    with database.reading() as session:
        rows = {row.carrier_id: (row.status, row.deaths) for row in session.scalars(select(Delivery))}
    assert rows == {living: (DeliveryStatus.CLAIMED, 0), dead: (DeliveryStatus.QUEUED, 1)}
    assert acts(database) == [("cli:ana", "check:dead-claims", {"n": 1, "carriers": [dead]})]


def test_a_carrier_that_beats_after_the_last_look_keeps_its_claims(database, carried):
    _, dead = carried
    quiet = Time().silent(database, longest=expired_leases.DEAD)
    beat(database, dead)()
    mender(database).mend({Check.DEAD_CLAIMS}, quiet=quiet)
    with database.reading() as session:
        held = session.scalars(select(Delivery.carrier_id).where(Delivery.status == DeliveryStatus.CLAIMED))
        assert list(held) == [dead]


def test_what_was_handed_back_and_is_in_other_hands_is_fenced(database, carried):
    _, dead = carried
    mender(database).mend({Check.DEAD_CLAIMS}, quiet=Time().silent(database, longest=expired_leases.DEAD))
    with database.writing() as session:
        other = a_worker(session)
        mine = session.scalars(select(Delivery).where(Delivery.carrier_id == dead)).one()
        mine.carrier_id, mine.attempt, mine.status = other, 2, DeliveryStatus.CLAIMED
    with database.writing() as session:
        assert not results.record(session, dead, [Result(mine.id, 1, Outcome.TAKEN, None, NOON)], now=NOON)


def test_a_subject_whose_facts_are_not_whole_is_left(database):
    with database.writing() as session:
        reader = a_reader(session, a_newsletter(session))
        last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.ordinal.desc()).limit(1)).one()
        connection = session.connection()
        on = "" if database.is_sqlite else " ON ledger"
        connection.execute(text(f"DROP TRIGGER ledger_refuses_update{on}"))
        session.execute(update(LedgerEntry).where(LedgerEntry.id == last.id).values(event="withdrawn"))
    mender(database).mend({each.check for each in examine(database) if each.fixable})
    assert {each.check for each in examine(database)} == {Check.LEDGER, Check.STANDING}
    with database.reading() as session:
        assert (
            session.scalar(select(Subscription.standing).where(Subscription.subscriber_id == reader.id)) == "subscribed"
        )
