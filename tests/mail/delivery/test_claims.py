"""A claim takes due deliveries in order, and withholds letters to readers who must not get them any more."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.delivery.cursors import CURSOR_SECONDS, Cursors
from newsletter.mail.delivery.deliveries import SUSPECT_DEATHS, Delivery, DeliveryStatus
from newsletter.mail.transport.transport import Outcome, Result
from tests.builders import (
    a_crowd,
    a_delivery,
    a_letter,
    a_newsletter,
    a_reader,
    a_signup,
    a_worker,
    an_issue,
    owed,
    unsaved,
)
from tests.clock import NOON
from tests.query_plans import blocks_read, fill, prepare_everything, rows_read
from tests.transports import FakeMonotonic
from tests.waiting import TIMEOUT

MINUTE = timedelta(minutes=1)


def claim(session, *, worker=None, limit=500, urgent=False, key="k1", now=NOON, cursors=None) -> list[Claimed]:
    worker = worker or a_worker(session)
    options = {"limit": limit, "urgent": urgent, "key": key, "now": now, "cursors": cursors}
    return claims.claim(session, worker, **options)


def claimed(session, **options) -> list[int]:
    return [each.delivery for each in claim(session, **options)]


def status(session, delivery: Delivery) -> DeliveryStatus:
    session.refresh(delivery)
    return delivery.status


def test_the_longest_due_come_first_up_to_the_limit(begin):
    with begin() as session:
        first, second, third = owed(session, 3)
        first.due_at, second.due_at, third.due_at = NOON - MINUTE, NOON, NOON - 2 * MINUTE
        session.flush()
        assert claimed(session, limit=2) == [third.id, first.id]
        assert claimed(session, limit=2) == [second.id]
        assert claimed(session, limit=2) == []


def test_a_claim_takes_at_most_five_hundred(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        letter = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=501)
        for reader in a_crowd(session, newsletter, 501):
            session.add(unsaved(letter, reader))
        session.flush()
        assert len(claim(session, limit=1000)) == 500
        assert len(claim(session, limit=1000)) == 1


def test_no_delivery_is_claimed_before_it_is_due(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, due_at=NOON + MINUTE)
        assert claimed(session, now=NOON + MINUTE - timedelta(microseconds=1)) == []
        assert claimed(session, now=NOON + MINUTE) == [delivery.id]


def test_urgent_letters_have_a_queue_of_their_own(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        bulk = a_delivery(
            session, a_letter(session, newsletter, issue=an_issue(session, newsletter)), a_reader(session, newsletter)
        )
        signup = a_signup(session, newsletter, state=SignupState.ASKED)
        asked = a_reader(session, newsletter, signup.address, standing=Standing.ASKED)
        urgent = a_delivery(session, a_letter(session, newsletter, signup=signup), asked)
        assert claimed(session, urgent=True) == [urgent.id]
        assert claimed(session, urgent=False) == [bulk.id]


@pytest.mark.parametrize("status_of_issue", [IssueStatus.DRAFTED, IssueStatus.APPROVED, IssueStatus.PAUSED])
def test_the_letters_of_an_issue_that_is_not_being_sent_stay_queued(begin, status_of_issue):
    with begin() as session:
        (paused,) = owed(session, 1)
        (control,) = owed(session, 1)
        session.execute(update(Issue).where(Issue.id == _issue_of(session, paused)).values(status=status_of_issue))
        assert claimed(session) == [control.id]
        assert status(session, paused) is DeliveryStatus.QUEUED
        session.execute(update(Issue).where(Issue.id == _issue_of(session, paused)).values(status=IssueStatus.SENDING))
        assert claimed(session) == [paused.id]


def test_the_remaining_letters_of_a_cancelled_issue_are_cancelled(begin):
    with begin() as session:
        (cancelled,) = owed(session, 1)
        (control,) = owed(session, 1)
        session.execute(
            update(Issue).where(Issue.id == _issue_of(session, cancelled)).values(status=IssueStatus.CANCELLED)
        )
        assert claimed(session) == [control.id]
        assert status(session, cancelled) is DeliveryStatus.CANCELLED
        assert cancelled.decided_at == NOON


def _issue_of(session, delivery: Delivery) -> int:
    return session.scalar(text("SELECT issue_id FROM letters WHERE id = :id"), {"id": delivery.letter_id})


def leaves(session, reader: Subscriber) -> None:
    _subscription(session, reader, standing=Standing.LEFT)


def pauses(session, reader: Subscriber) -> None:
    _subscription(session, reader, paused_until=NOON + MINUTE)


def bounces(session, reader: Subscriber) -> None:
    reader.suppressed = Reason.BOUNCED


def never_wants_a_letter(session, reader: Subscriber) -> None:
    reader.suppressed = Reason.NEVER


def has_no_address_any_more(session, reader: Subscriber) -> None:
    reader.address = reader.address_key = None


def loses_the_subscription(session, reader: Subscriber) -> None:
    session.delete(session.get_one(Subscription, (reader.id, _only_newsletter(session, reader))))


def is_erased(session, reader: Subscriber) -> None:
    session.delete(reader)


def _subscription(session, reader: Subscriber, **values) -> None:
    session.execute(update(Subscription).where(Subscription.subscriber_id == reader.id).values(values))


def _only_newsletter(session, reader: Subscriber) -> int:
    return session.scalar(select(Subscription.newsletter_id).where(Subscription.subscriber_id == reader.id))


@pytest.mark.parametrize(
    "change",
    [
        leaves,
        pauses,
        bounces,
        never_wants_a_letter,
        has_no_address_any_more,
        loses_the_subscription,
        is_erased,
    ],
)
def test_a_letter_whose_reader_is_gone_before_the_claim_is_withheld_for_good(begin, change):
    with begin() as session:
        gone, control = owed(session, 2)
        change(session, session.get_one(Subscriber, gone.subscriber_id))
        session.flush()
        session.expire_all()
        assert claimed(session) == [control.id]
        assert status(session, gone) is DeliveryStatus.WITHHELD
        assert gone.decided_at == NOON
        assert claimed(session, now=NOON + timedelta(days=1)) == []
        assert status(session, gone) is DeliveryStatus.WITHHELD


def test_a_reader_who_left_one_newsletter_still_gets_the_other(begin):
    with begin() as session:
        one, other = a_newsletter(session, "one"), a_newsletter(session, "other")
        reader = a_reader(session, one, "ana@example.org", standing=Standing.LEFT)
        a_reader(session, other, "ana@example.org")
        left, kept = (
            a_delivery(session, a_letter(session, each, issue=an_issue(session, each)), reader) for each in (one, other)
        )
        assert claimed(session) == [kept.id]
        assert status(session, left) is DeliveryStatus.WITHHELD


def test_a_reader_whose_pause_has_ended_gets_letters_again(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        _subscription(session, session.get_one(Subscriber, delivery.subscriber_id), paused_until=NOON)
        assert claimed(session) == [delivery.id]


def test_a_letter_that_may_have_arrived_ends_unknown_and_not_withheld(begin):
    with begin() as session:
        doubtful, control = owed(session, 2, status=DeliveryStatus.IN_DOUBT, doubts=1)
        leaves(session, session.get_one(Subscriber, doubtful.subscriber_id))
        assert claimed(session) == [control.id]
        assert status(session, doubtful) is DeliveryStatus.UNKNOWN
        assert doubtful.decided_at == NOON


@pytest.mark.parametrize(
    ("suppressed", "is_allowed", "expected"),
    [
        (Reason.NEVER, None, DeliveryStatus.WITHHELD),
        (Reason.NEVER, False, DeliveryStatus.WITHHELD),
        (Reason.NEVER, True, DeliveryStatus.CLAIMED),
        (Reason.BOUNCED, None, DeliveryStatus.CLAIMED),
        (None, True, DeliveryStatus.CLAIMED),
    ],
)
def test_whoever_said_never_gets_only_the_confirmation_that_an_operator_allowed(
    begin, suppressed, is_allowed, expected
):
    with begin() as session:
        delivery = _confirmation(session, a_newsletter(session))
        signup = session.get_one(Signup, _signup_of(session, delivery))
        signup.lifts_suppression = is_allowed
        session.get_one(Subscriber, delivery.subscriber_id).suppressed = suppressed
        session.flush()
        claim(session, urgent=True)
        assert status(session, delivery) is expected


@pytest.mark.parametrize("state", sorted(set(SignupState) - {SignupState.ASKED}))
def test_a_confirmation_is_sent_only_while_its_sign_up_waits_for_it(begin, state):
    with begin() as session:
        newsletter = a_newsletter(session)
        waiting, decided = (_confirmation(session, newsletter) for _ in range(2))
        session.execute(update(Signup).where(Signup.id == _signup_of(session, decided)).values(state=state))
        assert claimed(session, urgent=True) == [waiting.id]
        assert status(session, decided) is DeliveryStatus.WITHHELD


def test_a_confirmation_is_not_sent_after_its_link_expired_or_its_sign_up_was_deleted(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        expired, deleted, control = (_confirmation(session, newsletter) for _ in range(3))
        session.execute(
            update(Signup).where(Signup.id == _signup_of(session, expired)).values(received_at=NOON - LINK_LIFETIME)
        )
        session.delete(session.get_one(Signup, _signup_of(session, deleted)))
        session.flush()
        assert claimed(session, urgent=True) == [control.id]
        assert status(session, expired) is DeliveryStatus.WITHHELD
        assert status(session, deleted) is DeliveryStatus.WITHHELD


@pytest.mark.parametrize(("reason", "leaves"), [(Reason.NEVER, False), (Reason.BOUNCED, True), (Reason.ERASED, True)])
def test_only_a_request_never_to_be_written_to_prevents_a_confirmation(begin, reason, leaves):
    with begin() as session:
        delivery = _confirmation(session, a_newsletter(session))
        session.get_one(Subscriber, delivery.subscriber_id).suppressed = reason
        session.flush()
        assert claimed(session, urgent=True) == ([delivery.id] if leaves else [])


def _confirmation(session, newsletter) -> Delivery:
    signup = a_signup(session, newsletter, state=SignupState.ASKED)
    reader = a_reader(session, newsletter, signup.address, standing=Standing.ASKED)
    return a_delivery(session, a_letter(session, newsletter, signup=signup), reader)


def _signup_of(session, delivery: Delivery) -> int:
    return session.scalar(text("SELECT signup_id FROM letters WHERE id = :id"), {"id": delivery.letter_id})


def test_a_test_letter_needs_no_subscriber(begin):
    with begin() as session:
        letter = a_letter(session, a_newsletter(session))
        delivery = a_delivery(session, letter, None, recipient="operator@example.org")
        without_recipient = a_delivery(session, letter, None)
        (found,) = claim(session, urgent=True)
        assert (found.delivery, found.address) == (delivery.id, "operator@example.org")
        assert status(session, without_recipient) is DeliveryStatus.WITHHELD


def test_date_and_key_are_fixed_at_the_first_claim(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        (first,) = claim(session, key="k1")
        session.execute(update(Delivery).values(status=DeliveryStatus.QUEUED))
        (again,) = claim(session, key="k2", now=NOON + MINUTE)
        assert (first.first_tried_at, first.key_id, first.attempt) == (NOON, "k1", 1)
        assert (again.first_tried_at, again.key_id, again.attempt) == (NOON, "k1", 2)
        assert status(session, delivery) is DeliveryStatus.CLAIMED


def test_a_delivery_may_be_claimed_forty_thousand_times(begin):
    with begin() as session:
        owed(session, 1, attempt=40_000)
        assert [each.attempt for each in claim(session)] == [40_001]


def test_many_readers_who_left_do_not_delay_the_others(begin):
    with begin() as session:
        deliveries = owed(session, 12)
        for delivery in deliveries[:10]:
            leaves(session, session.get_one(Subscriber, delivery.subscriber_id))
        assert claimed(session, limit=2) == [delivery.id for delivery in deliveries[10:]]


def test_a_suspect_is_claimed_alone(begin):
    with begin() as session:
        suspect, other = owed(session, 2, deaths=SUSPECT_DEATHS)
        (control,) = owed(session, 1, deaths=SUSPECT_DEATHS - 1)
        worker = a_worker(session)
        assert claimed(session, worker=worker) == [control.id]
        (alone,) = claims.claim_suspect(session, worker, urgent=False, key="k1", now=NOON)
        assert alone.delivery == suspect.id
        assert status(session, other) is DeliveryStatus.QUEUED


def test_issues_take_turns_so_that_a_long_one_delays_no_short_one(begin):
    with begin() as session:
        one, other = owed(session, 6), owed(session, 2)
        worker, cursors = a_worker(session), Cursors()
        turns = [claimed(session, worker=worker, limit=2, cursors=cursors) for _ in range(5)]
        first, second = [each.id for each in one], [each.id for each in other]
        assert turns == [first[:2], second, first[2:4], first[4:], []]


def test_a_claim_is_filled_from_the_next_issue(begin):
    with begin() as session:
        everything = [each.id for number in (2, 1, 3) for each in owed(session, number)]
        assert claimed(session, limit=5) == everything[:5]


@pytest.mark.parametrize("urgent", [False, True])
def test_a_clock_set_back_an_hour_delays_no_letter_that_was_not_deferred(begin, urgent):
    with begin() as session:
        if urgent:
            fresh, deferred = (_confirmation(session, a_newsletter(session, f"letter{n}")) for n in range(2))
        else:
            fresh, deferred = owed(session, 2)
        deferred.due_at = NOON + MINUTE
        session.flush()
        assert claimed(session, urgent=urgent, now=NOON - timedelta(hours=1)) == [fresh.id]
        assert claimed(session, urgent=urgent, now=NOON + timedelta(hours=1)) == [deferred.id]


def test_a_delivery_that_goes_back_before_the_cursor_is_found_when_nothing_else_is_due(begin):
    with begin() as session:
        first, second, third = owed(session, 3)
        worker, cursors = a_worker(session), Cursors()
        assert claimed(session, worker=worker, limit=2, cursors=cursors) == [first.id, second.id]
        results.record(session, worker, [Result(first.id, 1, Outcome.UNTOUCHED, None, NOON)], now=NOON)
        turns = [claimed(session, worker=worker, limit=1, cursors=cursors) for _ in range(3)]
        assert turns == [[third.id], [first.id], []]


def test_a_cursor_is_used_for_a_minute(begin):
    with begin() as session:
        first, second, *_ = owed(session, 9)
        worker, monotonic = a_worker(session), FakeMonotonic()
        cursors = Cursors(monotonic)
        claimed(session, worker=worker, limit=2, cursors=cursors)
        results.record(session, worker, [Result(first.id, 1, Outcome.UNTOUCHED, None, NOON)], now=NOON)
        monotonic.now += CURSOR_SECONDS - 1
        assert claimed(session, worker=worker, limit=1, cursors=cursors) == [second.id + 1]
        monotonic.now += 1
        assert claimed(session, worker=worker, limit=1, cursors=cursors) == [first.id]


def test_workers_that_claim_at_once_never_share_a_delivery(postgresql_database):
    with postgresql_database.writing() as session:
        everything = {delivery.id for delivery in owed(session, 120)}
        workers = [a_worker(session) for _ in range(4)]
    start = threading.Barrier(len(workers))

    def claim_all(worker: int) -> list[int]:
        mine = []
        start.wait(TIMEOUT)
        while True:
            with postgresql_database.writing() as session:
                more = claimed(session, worker=worker, limit=3)
            if not more:
                return mine
            mine += more

    with ThreadPoolExecutor(len(workers)) as crowd:
        shares = list(crowd.map(claim_all, workers))
    assert sorted(number for share in shares for number in share) == sorted(everything)
    with postgresql_database.reading() as session:
        owners = dict(session.execute(select(Delivery.id, Delivery.carrier_id)).all())
    assert owners == {number: worker for worker, share in zip(workers, shares, strict=True) for number in share}


def test_a_claim_does_not_wait_for_rows_that_another_transaction_has_locked(postgresql_database):
    with postgresql_database.writing() as session:
        first, second = owed(session, 2)
        worker = a_worker(session)
    with postgresql_database.writing() as elsewhere:
        assert claimed(elsewhere, worker=worker, limit=1) == [first.id]
        with postgresql_database.writing() as session:
            session.execute(text("SET LOCAL lock_timeout = '1ms'"))
            assert claimed(session, worker=worker, limit=2) == [second.id]


def cost(session, *, worker: int, **options) -> int:
    """Return how many blocks a claim of one letter reads."""
    before = blocks_read(session)
    assert len(claim(session, worker=worker, limit=1, **options)) == 1
    return blocks_read(session) - before


@pytest.mark.slow
@pytest.mark.parametrize("left", [0.05, pytest.param(0.1, marks=pytest.mark.slow)])
def test_a_claim_reads_no_more_if_the_statistics_date_from_the_end_of_an_issue(postgresql_database, left):
    """PostgreSQL then expects few waiting rows, and reading and sorting them all seems cheap."""
    with postgresql_database.writing() as session:
        newsletter = a_newsletter(session)
        written = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=6_000)
        session.add_all(unsaved(written, reader) for reader in a_crowd(session, newsletter, 6_000))
        worker = a_worker(session)
    is_still_there = func.mod(Delivery.id, 1000) < left * 1000
    with postgresql_database.writing() as session:
        session.execute(update(Delivery).where(~is_still_there).values(status=DeliveryStatus.SENT, decided_at=NOON))
    with postgresql_database.writing() as session:
        session.execute(text("ANALYZE"))
        session.execute(update(Delivery).values(status=DeliveryStatus.QUEUED, decided_at=None))
    with postgresql_database.writing() as session:
        before = rows_read(session)
        assert len(claim(session, worker=worker, limit=500)) == 500
        # Each delivery twice, its subscriber and subscription, and index entries of old row versions.
        assert rows_read(session) - before < 10 * 500


def test_a_claim_reads_no_more_on_a_connection_that_planned_for_a_small_table(postgresql_database):
    with postgresql_database.writing() as session:
        worker = a_worker(session)
        waiting = owed(session, 30)
    with postgresql_database.writing() as session:
        prepare_everything(session)
        small = [cost(session, worker=worker) for _ in range(12)][-1]
    with postgresql_database.writing() as session:
        fill(session, waiting[-1], decided=15_000, waiting=5_000)
    with postgresql_database.writing() as session:
        assert cost(session, worker=worker) < small + 100


@pytest.mark.slow
def test_a_claim_does_not_read_the_letters_of_a_paused_issue(postgresql_database):
    with postgresql_database.writing() as session:
        worker = a_worker(session)
        (paused,) = owed(session, 1)
        owed(session, 20)
        alone = [cost(session, worker=worker) for _ in range(2)][-1]
        fill(session, paused, decided=0, waiting=20_000)
        session.execute(update(Delivery).where(Delivery.letter_id == paused.letter_id).values(due_at=NOON - MINUTE))
        session.execute(update(Issue).where(Issue.id == _issue_of(session, paused)).values(status=IssueStatus.PAUSED))
    with postgresql_database.writing() as session:
        assert cost(session, worker=worker) < alone + 50


@pytest.mark.slow
def test_a_claim_does_not_read_sent_letters_while_a_backup_holds_its_snapshot(postgresql_database):
    with postgresql_database.writing() as session:
        worker = a_worker(session)
        newsletter = a_newsletter(session)
        letter = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=2000)
        session.add_all(unsaved(letter, reader) for reader in a_crowd(session, newsletter, 2000))
    cursors = Cursors()
    with postgresql_database.reading() as backup:
        backup.execute(text("SELECT 1 FROM deliveries LIMIT 1"))
        with postgresql_database.writing() as session:
            first = cost(session, worker=worker, cursors=cursors)
        for _ in range(3):
            with postgresql_database.writing() as session:
                taken = claim(session, worker=worker, cursors=cursors)
            with postgresql_database.writing() as session:
                taken_results = [Result(each.delivery, each.attempt, Outcome.TAKEN, None, NOON) for each in taken]
                assert results.record(session, worker, taken_results, now=NOON) == 500
        with postgresql_database.writing() as session:
            assert cost(session, worker=worker, cursors=cursors) < first + 20
            assert cost(session, worker=worker) > first + 50, "without a cursor it does read them"
