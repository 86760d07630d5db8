"""Retention deletes unconfirmed addresses after 72 hours and keeps a ledger that still adds up."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.limits import pressure
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, status_counts
from newsletter.mail.letters.letters import Letter
from newsletter.privacy import retention
from newsletter.queues.wakeups import Queue
from tests.builders import a_delivery, a_letter, a_newsletter, a_reader, a_signup
from tests.clock import NOON
from tests.query_plans import generic_plan, prepare_everything
from tests.servers.databases import opened
from tests.statements import executed
from tests.whole_service import WholeService, whole_service

ANA, EVE = "ana@mail.example.org", "eve@mail.example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _newsletters(request: pytest.FixtureRequest):
    if "service" in request.fixturenames:
        service = request.getfixturevalue("service")
        service.newsletter()
        service.newsletter("evening")


def ask(service: WholeService, email: str = ANA, slug: str = "morning"):
    """Sign up, and return the confirmation letter."""
    before = len(service.letters(to=email))
    service.sign_up(email, slug, name="Invented Name")
    service.run(Queue.URGENT)
    found = service.letters(to=email)
    assert len(found) == before + 1
    return found[-1]


def confirm(service: WholeService, letter) -> None:
    assert service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"}).status_code == 200


def leave(service: WholeService, letter) -> None:
    assert service.browser.post(service.link(letter, "u"), data=ONE_CLICK).status_code == 200


def tables_with(service: WholeService, word: str) -> set[str]:
    """Return the tables that hold this word."""
    return {
        table
        for table, rows in service.rows().items()
        for row in rows
        for value in row
        if word in (value.decode(errors="replace") if isinstance(value, bytes) else str(value))
    }


def wait(service: WholeService, **length: float) -> None:
    """Let time pass, and run the upkeep."""
    service.clock.advance(**length)
    service.run(Queue.UPKEEP)


def events(service: WholeService) -> list[Event]:
    """Check that doctor finds nothing, and return the events of the ledger in their order."""
    with service.site.database.reading() as session:
        assert examination.examine(session) == []
        return list(session.scalars(select(LedgerEntry.event).order_by(LedgerEntry.id)))


def count(service: WholeService, row: type) -> int:
    with service.site.database.reading() as session:
        return len(session.scalars(select(row)).all())


def confirmations(service: WholeService) -> dict[DeliveryStatus, int]:
    """Check that the rows of the only confirmation are gone, and return the deliveries that the total counts."""
    assert count(service, Delivery) == 0
    with service.site.database.reading() as session:
        total = session.scalars(select(Letter)).one()
        assert total.occasion == "total:confirmation"
        return {status: number for status, number in status_counts(session, total.id).items() if number}


def uncovered(service: WholeService) -> Sequence[Event]:
    """Return events without evidence and without a later entry `lapsed` of the same subject."""
    with service.site.database.reading() as session:
        entries = session.scalars(select(LedgerEntry)).all()
        kept = set(session.scalars(select(Evidence.entry_id)))
        lapses = [entry for entry in entries if entry.event == Event.LAPSED]
        return [
            entry.event
            for entry in entries
            if entry.id not in kept
            and not any(lapse.subject == entry.subject and lapse.ordinal > entry.ordinal for lapse in lapses)
        ]


def test_after_72_hours_an_unconfirmed_address_is_gone_and_a_confirmed_one_stays(service):
    confirm(service, ask(service, EVE))
    ask(service)
    assert tables_with(service, ANA) == {"signups", "subscribers", "evidence"}
    wait(service, hours=71.9)
    assert tables_with(service, ANA)
    assert count(service, TraceRow) == 3
    wait(service, hours=0.1)
    assert tables_with(service, ANA) == set()
    assert count(service, TraceRow) == 2
    assert tables_with(service, "Invented Name") == {"subscribers", "evidence"}
    assert tables_with(service, EVE) == {"signups", "subscribers", "evidence"}
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED, Event.REQUESTED, Event.LAPSED]
    assert uncovered(service) == []
    assert count(service, Signup) == 1


def test_a_sent_letter_is_still_counted_and_its_links_change_nothing(service):
    letter = ask(service)
    links = [service.link(letter, path) for path in ("confirm", "never", "u")]
    wait(service, hours=72)
    assert confirmations(service) == {DeliveryStatus.SENT: 1}
    before = service.rows()
    for link in links:
        for answer in (service.browser.get(link), service.browser.post(link, data=ONE_CLICK)):
            assert answer.status_code in (200, 410)
    assert service.rows() == before
    assert events(service)


def test_a_waiting_letter_to_a_deleted_person_is_withheld(service):
    ask(service)
    with service.site.database.writing() as session:
        waiting = {"status": DeliveryStatus.QUEUED, "decided_at": None, "due_at": service.clock() + timedelta(hours=80)}
        session.execute(update(Delivery).values(waiting))
    wait(service, hours=72)
    assert confirmations(service) == {DeliveryStatus.WITHHELD: 1}
    service.clock.advance(hours=9)
    service.run()
    assert len(service.letters()) == 1
    assert events(service)


def test_a_person_who_left_before_confirming_is_deleted_too(service):
    leave(service, ask(service))
    wait(service, hours=72)
    assert tables_with(service, ANA) == set()
    assert events(service) == [Event.REQUESTED, Event.WITHDRAWN, Event.LAPSED]
    assert uncovered(service) == []


def test_a_person_who_said_never_before_confirming_is_deleted_and_never_written_to(service):
    letter = ask(service)
    assert service.browser.post(service.link(letter, "never"), data={"never": "yes"}).status_code == 200
    wait(service, hours=72)
    assert tables_with(service, ANA) == set()
    assert events(service) == [Event.REQUESTED, Event.WITHDRAWN, Event.REFUSED, Event.LAPSED]
    assert uncovered(service) == []
    service.sign_up(ANA)
    service.run()
    assert len(service.letters(to=ANA)) == 1
    wait(service, hours=72)
    assert tables_with(service, ANA) == set()


def test_a_person_who_asks_again_in_time_can_still_confirm(service):
    ask(service)
    service.clock.advance(hours=40)
    second = ask(service)
    wait(service, hours=32)
    assert count(service, Signup) == 1
    assert events(service) == [Event.REQUESTED, Event.REQUESTED]
    confirm(service, second)
    wait(service, days=30)
    assert events(service) == [Event.REQUESTED, Event.REQUESTED, Event.CONFIRMED]
    assert tables_with(service, ANA) == {"signups", "subscribers", "evidence"}


@pytest.mark.parametrize("again", ["morning", "evening"])
def test_a_person_who_asks_again_and_never_confirms_is_deleted_with_all_evidence(service, again):
    ask(service)
    service.clock.advance(hours=40)
    ask(service, slug=again)
    wait(service, hours=32)
    assert tables_with(service, ANA)
    wait(service, hours=40)
    assert tables_with(service, ANA) == set()
    assert events(service).count(Event.LAPSED) == (1 if again == "morning" else 2)
    assert uncovered(service) == []


def test_two_requests_that_lapse_together_are_deleted_together(service):
    ask(service)
    service.clock.advance(hours=30)
    ask(service)
    wait(service, days=9)
    assert tables_with(service, ANA) == set()
    assert events(service) == [Event.REQUESTED, Event.REQUESTED, Event.LAPSED]
    assert uncovered(service) == []


def test_only_the_unconfirmed_request_of_a_reader_is_deleted(service):
    confirm(service, ask(service))
    ask(service, slug="evening")
    wait(service, hours=72)
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED, Event.REQUESTED, Event.LAPSED]
    assert count(service, Subscription) == 1
    assert [entry.event for entry in _with_evidence(service)] == [Event.REQUESTED, Event.CONFIRMED, Event.LAPSED]


def test_a_reader_who_left_and_does_not_confirm_again_has_still_left(service):
    first = ask(service)
    confirm(service, first)
    leave(service, first)
    service.clock.advance(hours=30)
    ask(service)
    wait(service, hours=72)
    expected = [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN, Event.REQUESTED, Event.LAPSED]
    assert events(service) == expected
    assert [entry.event for entry in _with_evidence(service)] == [*expected[:3], Event.LAPSED], "its evidence stays"
    with service.site.database.reading() as session:
        assert session.scalars(select(Subscription.standing)).all() == ["left"]


def _with_evidence(service: WholeService) -> list[LedgerEntry]:
    with service.site.database.reading() as session:
        return list(session.scalars(select(LedgerEntry).join(Evidence).order_by(LedgerEntry.id)))


def test_the_evidence_of_a_reader_who_confirmed_and_left_stays(service):
    first = ask(service)
    confirm(service, first)
    leave(service, first)
    wait(service, days=5)
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN]
    assert len(_with_evidence(service)) == 3


def test_the_confirmation_link_says_confirmed_before_while_the_person_reads(service):
    link = service.link(letter := ask(service), "confirm")
    confirm(service, letter)
    wait(service, days=400)
    for answer in (service.browser.get(link), service.browser.post(link, data={"confirm": "yes"})):
        assert answer.status_code == 200
        assert "You have already confirmed" in answer.text
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED]


def test_a_reader_can_say_never_at_any_time_and_the_sign_up_is_deleted(service):
    link = service.link(letter := ask(service), "never")
    confirm(service, letter)
    wait(service, days=400)
    assert service.browser.get(link).status_code == 200
    assert service.browser.post(link, data={"never": "yes"}).status_code == 200
    wait(service, seconds=1)
    assert count(service, Signup) == 0
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN, Event.REFUSED]
    assert "that still holds" in service.browser.get(link).text


def test_a_confirmed_sign_up_is_reduced_after_72_hours_to_what_its_links_need(service):
    confirm(service, ask(service))
    wait(service, hours=72)
    with service.site.database.writing() as session:
        assert session.scalars(select(Signup.evidence)).all() == [{}]
        assert retention.forget_due(session, now=service.clock()) == 0, "it is not looked at again"


def test_a_confirmed_sign_up_is_deleted_thirty_days_after_its_reader_has_left(service):
    letter = ask(service)
    confirm(service, letter)
    wait(service, days=100)
    leave(service, letter)
    never = service.link(letter, "never")
    wait(service, days=29, hours=23)
    assert service.browser.get(never).status_code == 200
    assert service.browser.get(service.link(letter, "confirm")).status_code == 410
    wait(service, hours=1)
    assert count(service, Signup) == 0
    assert service.browser.get(never).status_code == 410
    assert tables_with(service, ANA) == {"subscribers", "evidence"}
    assert events(service) == [Event.REQUESTED, Event.CONFIRMED, Event.WITHDRAWN]


def test_a_confirmed_sign_up_without_a_subscriber_is_deleted(begin, reading):
    with begin() as session:
        a_signup(session, a_newsletter(session), state=SignupState.CONFIRMED)
        assert retention.forget_due(session, now=NOON + timedelta(hours=72)) == 1
    with reading() as session:
        assert session.scalars(select(Signup)).all() == []


def test_an_expired_never_link_says_that_the_address_was_deleted(service):
    link = service.link(ask(service), "never")
    wait(service, hours=72)
    for answer in (service.browser.get(link), service.browser.post(link, data={"never": "yes"})):
        assert answer.status_code == 410
        assert "The address was deleted" in answer.text
        assert "If you want the newsletter" in answer.text


def test_a_sign_up_not_processed_within_72_hours_is_deleted_without_a_letter(service):
    service.sign_up(ANA)
    service.clock.advance(hours=72)
    service.run()
    assert service.letters() == []
    assert tables_with(service, ANA) == set()
    assert events(service) == []


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


def test_traces_are_kept_for_thirty_days(service):
    confirm(service, ask(service))
    wait(service, days=29, hours=23)
    assert count(service, TraceRow) == 2
    wait(service, hours=1)
    assert count(service, TraceRow) == 0
    assert count(service, Evidence) == 2
    assert events(service)


@pytest.mark.parametrize(
    ("slow_lane_at", "forget_at", "hours"),
    [
        (NOON, NOON + timedelta(hours=24), 24),
        (NOON + timedelta(hours=20), NOON + timedelta(hours=24), 24),
        (NOON, NOON, 24),
        (None, NOON + timedelta(hours=24), 24),
        (None, NOON - timedelta(days=1), 72),
    ],
    ids=["waits", "was looked at", "examined too early", "lapsed already", "of a release without forget_at"],
)
def test_a_sign_up_without_a_turn_in_the_slow_lane_is_deleted_after_a_day(
    begin, reading, slow_lane_at, forget_at, hours
):
    with begin() as session:
        newsletter = a_newsletter(session)
        values = {"slow_lane_at": slow_lane_at, "forget_at": forget_at}
        a_signup(session, newsletter, state=SignupState.QUIET, **values)
    for at, left in ((hours - 0.01, 1), (hours, 0)):
        with begin() as session:
            retention.forget_due(session, now=NOON + timedelta(hours=at))
        with reading() as session:
            assert len(session.scalars(select(Signup.id)).all()) == left


def test_sign_ups_without_a_turn_are_counted_as_lapsed(begin, reading):
    later = NOON + timedelta(hours=24)
    with begin() as session:
        newsletter = a_newsletter(session)
        for slow_lane_at in (NOON, NOON, None):
            a_signup(session, newsletter, state=SignupState.QUIET, slow_lane_at=slow_lane_at, forget_at=later)
        retention.forget_due(session, now=later)
    with reading() as session:
        assert pressure.count(session, [pressure.LAPSED], now=later) == {pressure.LAPSED: 2}


def test_a_link_lives_for_72_hours_from_the_time_when_its_letter_was_owed(service):
    ask(service)
    with service.site.database.writing() as session:
        late = service.clock() + timedelta(hours=20)
        session.execute(update(Signup).values(asked_at=late, forget_at=service.clock() + timedelta(hours=24)))
    wait(service, hours=91.9)
    assert tables_with(service, ANA) == {"signups", "subscribers", "evidence"}
    wait(service, hours=0.1)
    assert tables_with(service, ANA) == set()
    assert events(service) == [Event.REQUESTED, Event.LAPSED]


def test_the_number_of_statements_does_not_depend_on_the_number_of_sign_ups(begin, database):
    def statements(people: int) -> int:
        with begin() as session:
            newsletter = a_newsletter(session, f"letter{people}")
            for number in range(people):
                reader = a_reader(session, newsletter, standing=Standing.ASKED)
                signup = a_signup(session, newsletter, reader.address, state=SignupState.ASKED)
                written = a_letter(session, newsletter, signup=signup)
                a_delivery(session, written, reader, status=DeliveryStatus.SENT, decided_at=NOON)
                if number % 2:
                    a_signup(session, newsletter, state=SignupState.QUIET)
        with executed(database) as used, begin() as session:
            assert retention.forget_due(session, now=NOON + timedelta(hours=72)) == people + people // 2
        return len(used)

    statements(1)  # it also creates the total
    few, many = statements(2), statements(100)
    assert few == many
    assert many <= 30


def test_what_is_deleted_does_not_depend_on_the_size_of_the_batches(begin, reading):
    def deleted(limit: int):
        with begin() as session:
            newsletters = [a_newsletter(session, f"letter{limit}-{n}") for n in range(2)]
            for number, standing in enumerate([*Standing] * 2):
                reader = a_reader(session, newsletters[0], f"{number}@batch{limit}.example", standing=standing)
                a_reader(session, newsletters[1], reader.address, standing=Standing.ASKED)
                state = SignupState.CONFIRMED if standing != Standing.ASKED else SignupState.ASKED
                a_signup(session, newsletters[0], reader.address, state=state)
                a_signup(session, newsletters[1], reader.address, state=SignupState.ASKED)
        while True:
            with begin() as session:
                if not retention.forget_due(session, now=NOON + timedelta(hours=72), limit=limit):
                    break
        with reading() as session:
            people = select(Subscriber).where(Subscriber.address_key.endswith(f"@batch{limit}.example"))
            return [
                (
                    [str(entry.event) for entry in ledger.history(session, person.subject)],
                    session.scalars(select(Subscription.standing).where(Subscription.subscriber_id == person.id)).all(),
                )
                for person in session.scalars(people.order_by(Subscriber.address_key))
            ]

    assert deleted(1) == deleted(3) == deleted(200)


def test_the_letter_of_a_reader_is_folded_when_the_sign_up_goes(service):
    letter = ask(service)
    confirm(service, letter)
    wait(service, days=100)
    assert count(service, Delivery) == 1
    leave(service, letter)
    wait(service, days=30)
    assert confirmations(service) == {DeliveryStatus.SENT: 1}
    with service.site.database.reading() as session:
        shown = [json.loads(body) for body in session.scalars(select(Evidence.body))]
        (letter_hash,) = {each["letter"] for each in shown if "letter" in each}
        assert session.get(Exhibit, letter_hash), "the proof names its text"


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


def test_concurrent_workers_delete_each_sign_up_once(service):
    for number in range(6):
        ask(service, f"{number}@mail.example.org")
    service.clock.advance(hours=72)

    def forget(_: int) -> int:
        with service.site.database.writing() as session:
            return retention.forget_due(session, now=service.clock())

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(forget, range(3))) == 6
    assert events(service).count(Event.LAPSED) == 6
    assert count(service, Subscriber) == 0


def test_the_remaining_ledger_entries_still_match_their_hashes(service):
    ask(service)
    with service.site.database.reading() as session:
        before = {entry.id: entry.leaf for entry in session.scalars(select(LedgerEntry))}
    wait(service, hours=72)
    with service.site.database.reading() as session:
        after = {entry.id: entry for entry in session.scalars(select(LedgerEntry))}
        assert {number: after[number].leaf for number in before} == before
        assert all(ledger.leaf(entry) == entry.leaf for entry in after.values())


def test_a_sqlite_file_holds_no_remains_of_deleted_rows(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        ask(service)
        wait(service, hours=72)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(opened(sqlite_url)) as database, database.reading() as session:
        assert session.scalars(select(LedgerEntry.event)).all()
    assert ANA.encode() not in file.read_bytes()
    assert b"Invented Name" not in file.read_bytes()


def forget(service: WholeService) -> int:
    with service.site.database.writing() as session:
        return retention.forget_due(session, now=service.clock())


def test_a_sign_up_is_deleted_exactly_thirty_days_after_its_reader_left(service):
    letter = ask(service)
    confirm(service, letter)
    for _ in range(4):
        wait(service, days=17)
    leave(service, letter)
    wait(service, days=29, hours=23, minutes=59, seconds=59)
    assert count(service, Signup) == 1
    wait(service, seconds=1)
    assert count(service, Signup) == 0


def test_a_request_that_lapses_after_leaving_delays_the_deletion_by_thirty_days(service):
    letter = ask(service)
    confirm(service, letter)
    leave(service, letter)
    wait(service, days=28)
    ask(service)
    for _ in range(3):
        wait(service, days=1)
    assert events(service)[-1] == Event.LAPSED
    wait(service, days=29, hours=23)
    assert count(service, Signup) == 1
    wait(service, hours=1)
    assert count(service, Signup) == 0


def test_both_sign_ups_of_a_person_stay_while_one_newsletter_is_read(service):
    first = ask(service)
    confirm(service, first)
    confirm(service, ask(service, slug="evening"))
    leave(service, first)
    wait(service, days=90)
    assert count(service, Signup) == 2
    assert service.browser.get(service.link(first, "never")).status_code == 200


def test_a_sign_up_received_by_an_older_release_is_kept_for_72_hours(service):
    confirm(service, ask(service, EVE))
    ask(service)
    with service.site.database.writing() as session:
        session.execute(text("UPDATE signups SET forget_at = '1970-01-01 00:00:00'"))  # as the migration sets it
    wait(service, seconds=1)
    assert count(service, Signup) == 2
    assert forget(service) == 0, "it is not looked at again"
    wait(service, hours=72)
    assert tables_with(service, ANA) == set()
    assert count(service, Signup) == 1


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
