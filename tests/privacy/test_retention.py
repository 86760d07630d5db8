"""Retention deletes unconfirmed addresses after 72 hours and keeps a ledger that still adds up."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from newsletter.consent import ledger
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.signups import Signup, SignupLetter, SignupState
from newsletter.consent.subscribers import Subscriber, Subscription
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.privacy import retention
from newsletter.queues.wakeups import Queue
from tests.builders import a_newsletter, a_reader, a_signup
from tests.clock import NOON
from tests.query_plans import generic_plan, prepare_everything
from tests.servers.databases import opened
from tests.whole_service import WholeService, whole_service

ANA, EVE = "ana@mail.example.org", "eve@mail.example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _newsletters(request: pytest.FixtureRequest):
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        stage.newsletter()
        stage.newsletter("evening")


def ask(stage: WholeService, email: str = ANA, slug: str = "morning"):
    """Sign up, and return the confirmation letter."""
    before = len(stage.letters(to=email))
    stage.sign_up(email, slug, name="Invented Name")
    stage.run(Queue.URGENT)
    found = stage.letters(to=email)
    assert len(found) == before + 1
    return found[-1]


def confirm(stage: WholeService, letter) -> None:
    assert stage.browser.post(stage.link(letter, "confirm")).status_code == 200


def leave(stage: WholeService, letter) -> None:
    assert stage.browser.post(stage.link(letter, "u"), data=ONE_CLICK).status_code == 200


def tables_with(stage: WholeService, word: str) -> set[str]:
    """Return the tables that hold this word."""
    return {
        table
        for table, rows in stage.rows().items()
        for row in rows
        for value in row
        if word in (value.decode(errors="replace") if isinstance(value, bytes) else str(value))
    }


def wait(stage: WholeService, **length: float) -> None:
    """Let time pass, and run the upkeep."""
    stage.clock.pass_(**length)
    stage.run(Queue.UPKEEP)


def events(stage: WholeService) -> list[Event]:
    """Check that doctor finds nothing, and return the events of the ledger in their order."""
    with stage.site.database.reading() as session:
        assert examination.examine(session) == []
        return list(session.scalars(select(LedgerEntry.event).order_by(LedgerEntry.id)))


def count(stage: WholeService, row: type) -> int:
    with stage.site.database.reading() as session:
        return len(session.scalars(select(row)).all())


def uncovered(stage: WholeService) -> Sequence[Event]:
    """Return events without evidence and without a later entry `lapsed` of the same subject."""
    with stage.site.database.reading() as session:
        entries = session.scalars(select(LedgerEntry)).all()
        kept = set(session.scalars(select(Evidence.entry_id)))
        lapses = [entry for entry in entries if entry.event == Event.LAPSED]
        return [
            entry.event
            for entry in entries
            if entry.id not in kept
            and not any(lapse.subject == entry.subject and lapse.ordinal > entry.ordinal for lapse in lapses)
        ]


def test_after_72_hours_an_unconfirmed_address_is_gone_and_a_confirmed_one_stays(stage):
    confirm(stage, ask(stage, EVE))
    ask(stage)
    assert tables_with(stage, ANA) == {"signups", "subscribers", "evidence"}
    wait(stage, hours=71.9)
    assert tables_with(stage, ANA)
    assert count(stage, TraceRow) == 3
    wait(stage, hours=0.1)
    assert tables_with(stage, ANA) == set()
    assert count(stage, TraceRow) == 2
    assert tables_with(stage, "Invented Name") == {"subscribers", "evidence"}
    assert tables_with(stage, EVE) == {"signups", "subscribers", "evidence"}
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED, Event.REQUESTED, Event.LAPSED]
    assert uncovered(stage) == []
    assert count(stage, Signup) == 1


def test_a_sent_letter_is_still_counted_and_its_links_change_nothing(stage):
    letter = ask(stage)
    links = [stage.link(letter, path) for path in ("confirm", "never", "u")]
    wait(stage, hours=72)
    with stage.site.database.reading() as session:
        assert session.execute(select(Delivery.subscriber_id, Delivery.status)).all() == [(None, DeliveryStatus.SENT)]
    before = stage.rows()
    for link in links:
        for answer in (stage.browser.get(link), stage.browser.post(link, data=ONE_CLICK)):
            assert answer.status_code in (200, 410)
    assert stage.rows() == before
    assert events(stage)


def test_a_waiting_letter_to_a_deleted_person_is_withheld(stage):
    ask(stage)
    with stage.site.database.writing() as session:
        waiting = {"status": DeliveryStatus.QUEUED, "decided_at": None, "due_at": stage.clock() + timedelta(hours=80)}
        session.execute(update(Delivery).values(waiting))
    wait(stage, hours=72)
    stage.clock.pass_(hours=9)
    stage.run()
    with stage.site.database.reading() as session:
        assert session.scalars(select(Delivery.status)).all() == [DeliveryStatus.WITHHELD]
    assert len(stage.letters()) == 1
    assert events(stage)


def test_a_person_who_left_before_confirming_is_deleted_too(stage):
    leave(stage, ask(stage))
    wait(stage, hours=72)
    assert tables_with(stage, ANA) == set()
    assert events(stage) == [Event.REQUESTED, Event.WITHDRAWN, Event.LAPSED]
    assert uncovered(stage) == []


def test_a_person_who_said_never_before_confirming_is_deleted_and_never_written_to(stage):
    letter = ask(stage)
    assert stage.browser.post(stage.link(letter, "never"), data={"never": "yes"}).status_code == 200
    wait(stage, hours=72)
    assert tables_with(stage, ANA) == set()
    assert events(stage) == [Event.REQUESTED, Event.WITHDRAWN, Event.REFUSED, Event.LAPSED]
    assert uncovered(stage) == []
    stage.sign_up(ANA)
    stage.run()
    assert len(stage.letters(to=ANA)) == 1
    wait(stage, hours=72)
    assert tables_with(stage, ANA) == set()


def test_a_person_who_asks_again_in_time_can_still_confirm(stage):
    ask(stage)
    stage.clock.pass_(hours=40)
    second = ask(stage)
    wait(stage, hours=32)
    assert count(stage, Signup) == 1
    assert events(stage) == [Event.REQUESTED, Event.REQUESTED]
    confirm(stage, second)
    wait(stage, days=30)
    assert events(stage) == [Event.REQUESTED, Event.REQUESTED, Event.CONFIRMED]
    assert tables_with(stage, ANA) == {"signups", "subscribers", "evidence"}


@pytest.mark.parametrize("again", ["morning", "evening"])
def test_a_person_who_asks_again_and_never_confirms_is_deleted_with_all_evidence(stage, again):
    ask(stage)
    stage.clock.pass_(hours=40)
    ask(stage, slug=again)
    wait(stage, hours=32)
    assert tables_with(stage, ANA)
    wait(stage, hours=40)
    assert tables_with(stage, ANA) == set()
    assert events(stage).count(Event.LAPSED) == (1 if again == "morning" else 2)
    assert uncovered(stage) == []


def test_two_requests_that_lapse_together_are_deleted_together(stage):
    ask(stage)
    stage.clock.pass_(hours=30)
    ask(stage)
    wait(stage, days=9)
    assert tables_with(stage, ANA) == set()
    assert events(stage) == [Event.REQUESTED, Event.REQUESTED, Event.LAPSED]
    assert uncovered(stage) == []


def test_only_the_unconfirmed_request_of_a_reader_is_deleted(stage):
    confirm(stage, ask(stage))
    ask(stage, slug="evening")
    wait(stage, hours=72)
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED, Event.REQUESTED, Event.LAPSED]
    assert count(stage, Subscription) == 1
    assert [entry.event for entry in _with_evidence(stage)] == [Event.REQUESTED, Event.CONFIRMED, Event.LAPSED]


def test_a_reader_who_left_and_does_not_confirm_again_has_still_left(stage):
    first = ask(stage)
    confirm(stage, first)
    leave(stage, first)
    stage.clock.pass_(hours=30)
    ask(stage)
    wait(stage, hours=72)
    expected = [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN, Event.REQUESTED, Event.LAPSED]
    assert events(stage) == expected
    assert [entry.event for entry in _with_evidence(stage)] == [*expected[:3], Event.LAPSED], "its evidence stays"
    with stage.site.database.reading() as session:
        assert session.scalars(select(Subscription.standing)).all() == ["left"]


def _with_evidence(stage: WholeService) -> list[LedgerEntry]:
    with stage.site.database.reading() as session:
        return list(session.scalars(select(LedgerEntry).join(Evidence).order_by(LedgerEntry.id)))


def test_the_evidence_of_a_reader_who_confirmed_and_left_stays(stage):
    first = ask(stage)
    confirm(stage, first)
    leave(stage, first)
    wait(stage, days=5)
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN]
    assert len(_with_evidence(stage)) == 3


def test_the_confirmation_link_says_confirmed_before_while_the_person_reads(stage):
    link = stage.link(letter := ask(stage), "confirm")
    confirm(stage, letter)
    wait(stage, days=400)
    for answer in (stage.browser.get(link), stage.browser.post(link)):
        assert answer.status_code == 200
        assert "You have already confirmed" in answer.text
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED]


def test_a_reader_can_say_never_at_any_time_and_the_sign_up_is_deleted(stage):
    link = stage.link(letter := ask(stage), "never")
    confirm(stage, letter)
    wait(stage, days=400)
    assert stage.browser.get(link).status_code == 200
    assert stage.browser.post(link, data={"never": "yes"}).status_code == 200
    wait(stage, seconds=1)
    assert count(stage, Signup) == 0
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN, Event.REFUSED]
    assert "that still holds" in stage.browser.get(link).text


def test_a_confirmed_sign_up_is_reduced_after_72_hours_to_what_its_links_need(stage):
    confirm(stage, ask(stage))
    wait(stage, hours=72)
    with stage.site.database.writing() as session:
        assert session.scalars(select(Signup.evidence)).all() == [{}]
        assert retention.forget_due(session, now=stage.clock()) == 0, "it is not looked at again"


def test_a_confirmed_sign_up_is_deleted_thirty_days_after_its_reader_has_left(stage):
    letter = ask(stage)
    confirm(stage, letter)
    wait(stage, days=100)
    leave(stage, letter)
    never = stage.link(letter, "never")
    wait(stage, days=29, hours=23)
    assert stage.browser.get(never).status_code == 200
    assert stage.browser.get(stage.link(letter, "confirm")).status_code == 410
    wait(stage, hours=1)
    assert count(stage, Signup) == 0
    assert stage.browser.get(never).status_code == 410
    assert tables_with(stage, ANA) == {"subscribers", "evidence"}
    assert events(stage) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN]


def test_a_confirmed_sign_up_without_a_subscriber_is_deleted(begin, reading):
    with begin() as session:
        a_signup(session, a_newsletter(session), state=SignupState.CONFIRMED)
        assert retention.forget_due(session, now=NOON + timedelta(hours=72)) == 1
    with reading() as session:
        assert session.scalars(select(Signup)).all() == []


def test_an_expired_never_link_says_that_the_address_was_deleted(stage):
    link = stage.link(ask(stage), "never")
    wait(stage, hours=72)
    for answer in (stage.browser.get(link), stage.browser.post(link, data={"never": "yes"})):
        assert answer.status_code == 410
        assert "The address was deleted" in answer.text
        assert "If you want the newsletter" in answer.text


def test_a_sign_up_not_processed_within_72_hours_is_deleted_without_a_letter(stage):
    stage.sign_up(ANA)
    stage.clock.pass_(hours=72)
    stage.run()
    assert stage.letters() == []
    assert tables_with(stage, ANA) == set()
    assert events(stage) == []


def test_failed_and_quiet_sign_ups_are_deleted_too(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        for state in (SignupState.FAILED, SignupState.QUIET):
            a_signup(session, newsletter, state=state)
        kept = a_signup(session, newsletter, state=SignupState.QUIET, received_at=NOON + timedelta(seconds=1)).id
        assert retention.forget_due(session, now=NOON + timedelta(hours=72)) == 2
    with reading() as session:
        assert session.scalars(select(Signup.id)).all() == [kept]
        assert session.scalars(select(Subscriber)).all() == []


def test_traces_are_kept_for_thirty_days(stage):
    confirm(stage, ask(stage))
    wait(stage, days=29, hours=23)
    assert count(stage, TraceRow) == 2
    wait(stage, hours=1)
    assert count(stage, TraceRow) == 0
    assert count(stage, Evidence) == 2
    assert events(stage)


def test_rows_of_the_daily_limit_are_deleted_after_days(stage):
    ask(stage)
    wait(stage, days=2)
    assert count(stage, SignupLetter) == 1
    wait(stage, days=1)
    assert count(stage, SignupLetter) == 0


def test_sign_ups_are_deleted_in_batches(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        for _ in range(retention.BATCH_SIZE + 5):
            a_signup(session, newsletter, state=SignupState.QUIET)
    forgotten = []
    for _ in range(3):
        with begin() as session:
            forgotten.append(retention.forget_due(session, now=NOON + timedelta(hours=72)))
    assert forgotten == [retention.BATCH_SIZE, 5, 0]


def test_concurrent_workers_delete_each_sign_up_once(stage):
    for number in range(6):
        ask(stage, f"{number}@mail.example.org")
    stage.clock.pass_(hours=72)

    def forget(_: int) -> int:
        with stage.site.database.writing() as session:
            return retention.forget_due(session, now=stage.clock())

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(forget, range(3))) == 6
    assert events(stage).count(Event.LAPSED) == 6
    assert count(stage, Subscriber) == 0


def test_the_remaining_ledger_entries_still_match_their_hashes(stage):
    ask(stage)
    with stage.site.database.reading() as session:
        before = {entry.id: entry.leaf for entry in session.scalars(select(LedgerEntry))}
    wait(stage, hours=72)
    with stage.site.database.reading() as session:
        after = {entry.id: entry for entry in session.scalars(select(LedgerEntry))}
        assert {number: after[number].leaf for number in before} == before
        assert all(ledger.leaf(entry) == entry.leaf for entry in after.values())


def test_a_sqlite_file_holds_no_remains_of_deleted_rows(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as stage:
        stage.newsletter()
        ask(stage)
        wait(stage, hours=72)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(opened(sqlite_url)) as database, database.reading() as session:
        assert session.scalars(select(LedgerEntry.event)).all()
    assert ANA.encode() not in file.read_bytes()
    assert b"Invented Name" not in file.read_bytes()


def forget(stage: WholeService) -> int:
    with stage.site.database.writing() as session:
        return retention.forget_due(session, now=stage.clock())


def test_a_sign_up_is_deleted_exactly_thirty_days_after_its_reader_left(stage):
    letter = ask(stage)
    confirm(stage, letter)
    for _ in range(4):
        wait(stage, days=17)
    leave(stage, letter)
    wait(stage, days=29, hours=23, minutes=59, seconds=59)
    assert count(stage, Signup) == 1
    wait(stage, seconds=1)
    assert count(stage, Signup) == 0


def test_a_request_that_lapses_after_leaving_delays_the_deletion_by_thirty_days(stage):
    letter = ask(stage)
    confirm(stage, letter)
    leave(stage, letter)
    wait(stage, days=28)
    ask(stage)
    for _ in range(3):
        wait(stage, days=1)
    assert events(stage)[-1] == Event.LAPSED
    wait(stage, days=29, hours=23)
    assert count(stage, Signup) == 1
    wait(stage, hours=1)
    assert count(stage, Signup) == 0


def test_both_sign_ups_of_a_person_stay_while_one_newsletter_is_read(stage):
    first = ask(stage)
    confirm(stage, first)
    confirm(stage, ask(stage, slug="evening"))
    leave(stage, first)
    wait(stage, days=90)
    assert count(stage, Signup) == 2
    assert stage.browser.get(stage.link(first, "never")).status_code == 200


def test_a_sign_up_received_by_an_older_release_is_kept_for_72_hours(stage):
    confirm(stage, ask(stage, EVE))
    ask(stage)
    with stage.site.database.writing() as session:
        session.execute(text("UPDATE signups SET forget_at = '1970-01-01 00:00:00'"))  # as the migration sets it
    wait(stage, seconds=1)
    assert count(stage, Signup) == 2
    assert forget(stage) == 0, "it is not looked at again"
    wait(stage, hours=72)
    assert tables_with(stage, ANA) == set()
    assert count(stage, Signup) == 1


def test_retention_reads_only_due_sign_ups_by_index(postgresql_url):
    with closing(opened(postgresql_url)) as database, database.writing() as session:
        newsletter = a_newsletter(session)
        signup = a_signup(session, newsletter, a_reader(session, newsletter).address, state=SignupState.CONFIRMED)
        copies = text(
            "INSERT INTO signups (address, address_key, fold_key, newsletters, wording_id, form, evidence, "
            "received_at, forget_at, state, nonce) SELECT address, address_key, fold_key, newsletters, wording_id, "
            "form, evidence, received_at, forget_at + interval '30 days', state, nonce "
            "FROM signups, generate_series(1, 15000) WHERE id = :id"
        )
        session.execute(copies, {"id": signup.id})
        session.execute(text("ANALYZE signups"))
        prepare_everything(session)
        assert retention.forget_due(session, now=NOON + timedelta(hours=72)) == 1
        plan = generic_plan(session, "SELECT signups.id%forget_at%")
    assert "Index Scan using ix_signups_forget_at" in plan
    assert "Seq Scan" not in plan
