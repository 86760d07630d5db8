"""A result changes the state of its delivery, unless another worker has claimed it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.mail.delivery import claims, reclaiming, results
from newsletter.mail.delivery.deliveries import OPEN, SUSPECT_DEATHS, Delivery, DeliveryStatus
from newsletter.mail.delivery.next_state import IN_DOUBT_DELAY, DeliveryState, next_state
from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.transport.transport import Outcome, Reply, Result
from tests.builders import a_worker, owed
from tests.clock import NOON
from tests.statements import executed

LATE = NOON + timedelta(seconds=7)
GREYLISTED = Reply(451, "4.7.1", "come back later")


def state(**options) -> DeliveryState:
    columns = {"id": 1, "attempt": 1, "kind": LetterKind.ISSUE, "first_tried_at": NOON, "due_at": NOON, **options}
    return DeliveryState(**columns)


def result(outcome: Outcome, delivery: int = 1, attempt: int = 1, reply: Reply | None = None) -> Result:
    return Result(delivery, attempt, outcome, reply, LATE)


OLD = NOON - timedelta(days=3)


@pytest.mark.parametrize(
    ("outcome", "before", "after"),
    [
        (Outcome.TAKEN, {}, {"status": DeliveryStatus.SENT, "decided_at": LATE}),
        (Outcome.TAKEN, {"doubts": 1}, {"status": DeliveryStatus.SENT, "decided_at": LATE}),
        (Outcome.TAKEN, {"first_tried_at": OLD}, {"status": DeliveryStatus.SENT, "decided_at": LATE}),
        (Outcome.REFUSED, {}, {"status": DeliveryStatus.FAILED, "decided_at": LATE}),
        (Outcome.REFUSED, {"doubts": 1}, {"status": DeliveryStatus.UNKNOWN, "decided_at": LATE}),
        (Outcome.REFUSED, {"deaths": 1}, {"status": DeliveryStatus.UNKNOWN, "decided_at": LATE}),
        (Outcome.UNTOUCHED, {}, {"status": DeliveryStatus.QUEUED, "due_at": NOON, "deferrals": 0}),
        (Outcome.UNTOUCHED, {"first_tried_at": OLD}, {"status": DeliveryStatus.QUEUED, "due_at": NOON, "deferrals": 0}),
        (
            Outcome.UNTOUCHED,
            {"doubts": 1, "deferrals": 2},
            {"status": DeliveryStatus.IN_DOUBT, "deferrals": 2, "doubts": 1},
        ),
        (
            Outcome.IN_DOUBT,
            {},
            {"status": DeliveryStatus.IN_DOUBT, "doubts": 1, "due_at": LATE + IN_DOUBT_DELAY, "decided_at": None},
        ),
        (Outcome.IN_DOUBT, {"doubts": 1}, {"status": DeliveryStatus.UNKNOWN, "decided_at": LATE}),
        (Outcome.LATER, {}, {"status": DeliveryStatus.QUEUED, "deferrals": 1, "due_at": LATE + timedelta(minutes=1)}),
        (
            Outcome.LATER,
            {"doubts": 1},
            {"status": DeliveryStatus.IN_DOUBT, "deferrals": 1, "doubts": 1, "decided_at": None},
        ),
        (Outcome.LATER, {"first_tried_at": OLD}, {"status": DeliveryStatus.FAILED, "decided_at": LATE}),
        (Outcome.LATER, {"first_tried_at": OLD, "doubts": 1}, {"status": DeliveryStatus.UNKNOWN, "decided_at": LATE}),
        (Outcome.LATER, {"first_tried_at": OLD, "deaths": 1}, {"status": DeliveryStatus.UNKNOWN, "decided_at": LATE}),
    ],
)
def test_each_outcome_leads_to_its_state(outcome, before, after):
    decided = next_state(state(**before), result(outcome), now=LATE, jitter=1)
    assert decided | after == decided


def test_a_refused_repeat_ends_unknown_because_the_first_copy_may_have_arrived():
    refused = result(Outcome.REFUSED, reply=Reply(550, "5.1.1", "no such user"))
    decided = next_state(state(doubts=1), refused, now=LATE)
    assert (decided["status"], decided["reply_code"]) == (DeliveryStatus.UNKNOWN, 550)


def test_a_letter_of_a_stopped_worker_that_is_refused_because_of_us_waits_for_a_person():
    decided = next_state(state(deaths=1), result(Outcome.LATER, reply=UNAUTHENTICATED), now=LATE)
    assert (decided["status"], decided["deaths"]) == (DeliveryStatus.QUEUED, 1)


@given(
    outcome=st.sampled_from(Outcome),
    kind=st.sampled_from(LetterKind),
    age=st.timedeltas(timedelta(0), timedelta(days=9)),
    deferrals=st.integers(0, 50),
    doubts=st.integers(0, 1),
)
def test_only_a_final_delivery_has_a_time_of_decision(outcome, kind, age, deferrals, doubts):
    before = state(kind=kind, first_tried_at=LATE - age, deferrals=deferrals, doubts=doubts)
    after = next_state(before, result(outcome), now=LATE)
    assert (after["status"] in OPEN) == (after["decided_at"] is None)
    assert after["status"] is not DeliveryStatus.CLAIMED
    assert (after["status"] is DeliveryStatus.IN_DOUBT) <= (after["doubts"] == 1)


@given(deferrals=st.integers(0, 10))
def test_waits_differ_by_a_tenth_so_that_retries_spread(deferrals):
    def wait(**options) -> timedelta:
        return next_state(state(deferrals=deferrals), result(Outcome.LATER), now=NOON, **options)["due_at"] - NOON

    assert 0.9 * wait(jitter=1) <= wait() <= 1.1 * wait(jitter=1)
    assert len({wait() for _ in range(20)}) > 1


UNAUTHENTICATED = Reply(550, "5.7.26", "This mail is unauthenticated")


@pytest.mark.parametrize(
    ("kind", "doubts", "status"),
    [
        (LetterKind.ISSUE, 0, DeliveryStatus.QUEUED),  # until a person resumes the issue, or the refusal is final
        (LetterKind.ISSUE, 1, DeliveryStatus.UNKNOWN),
        (LetterKind.CONFIRMATION, 0, DeliveryStatus.FAILED),
        (LetterKind.TEST, 0, DeliveryStatus.FAILED),
    ],
)
def test_a_permanent_refusal_because_of_us_waits_for_a_person_or_ends(kind, doubts, status):
    refused = result(Outcome.LATER)._replace(reply=UNAUTHENTICATED)
    decided = next_state(state(kind=kind, doubts=doubts), refused, now=LATE)
    assert decided["status"] is status
    assert (decided["reply_code"], decided["decided_at"] is None) == (550, status is DeliveryStatus.QUEUED)


def claim(session, worker: int, *, now=NOON) -> list[claims.Claimed]:
    return claims.claim(session, worker, limit=500, urgent=False, key="k1", now=now)


def test_a_result_is_recorded_on_its_delivery_only(begin):
    with begin() as session:
        one, other = owed(session, 2)
        worker = a_worker(session)
        claim(session, worker)
        reply = Reply(250, "2.0.0", "queued as 4F2")
        assert results.record(session, worker, [result(Outcome.TAKEN, one.id, reply=reply)], now=LATE) == 1
        session.expire_all()
        assert (one.status, one.decided_at, one.carrier_id) == (DeliveryStatus.SENT, LATE, worker)
        assert (one.reply_code, one.reply_text) == (250, "2.0.0 queued as 4F2")
        assert other.status is DeliveryStatus.CLAIMED


def test_an_untouched_delivery_changes_only_its_attempt(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, deferrals=2, reply_code=451, reply_text="come back later")
        before = _facts(delivery)
        worker = a_worker(session)
        claim(session, worker)
        results.record(session, worker, [result(Outcome.UNTOUCHED, delivery.id)], now=LATE)
        session.expire_all()
        assert _facts(delivery) == before
        assert delivery.attempt == 1
        assert [each.attempt for each in claim(session, worker)] == [2]


def _facts(delivery: Delivery) -> dict:
    changed_by_a_claim = ("attempt", "first_tried_at", "key_id")
    return {c.name: getattr(delivery, c.name) for c in Delivery.__table__.c if c.name not in changed_by_a_claim}


def test_a_letter_in_doubt_is_repeated_once(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        worker = a_worker(session)
        (first,) = claim(session, worker)
        results.record(session, worker, [result(Outcome.IN_DOUBT, delivery.id)], now=NOON)
        assert claim(session, worker, now=NOON + IN_DOUBT_DELAY - timedelta(seconds=1)) == []
        (second,) = claim(session, worker, now=NOON + IN_DOUBT_DELAY)
        assert second == first._replace(attempt=2), "so its message is the same"
        results.record(session, worker, [result(Outcome.IN_DOUBT, delivery.id, 2)], now=NOON)
        session.expire_all()
        assert delivery.status is DeliveryStatus.UNKNOWN
        assert claim(session, worker, now=NOON + timedelta(days=9)) == []


def test_only_the_worker_and_attempt_that_claimed_a_delivery_can_report_on_it(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        mine, another = a_worker(session), a_worker(session)
        claim(session, mine)
        for counted in (
            results.record(session, another, [result(Outcome.TAKEN, delivery.id)], now=LATE),
            results.record(session, mine, [result(Outcome.TAKEN, delivery.id, attempt=2)], now=LATE),
            results.record(session, mine, [result(Outcome.TAKEN, delivery.id, attempt=0)], now=LATE),
            results.record(session, mine, [result(Outcome.TAKEN, delivery.id + 1)], now=LATE),
            results.record(session, mine, [], now=LATE),
        ):
            assert counted == 0
        session.expire_all()
        assert delivery.status is DeliveryStatus.CLAIMED
        assert results.record(session, mine, [result(Outcome.TAKEN, delivery.id)], now=LATE) == 1


def test_a_stale_result_does_not_replace_the_current_one_of_the_same_group(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, attempt=1)
        worker = a_worker(session)
        claim(session, worker)
        both = [result(Outcome.REFUSED, delivery.id, 1), result(Outcome.TAKEN, delivery.id, 2)]
        assert results.record(session, worker, both, now=LATE) == 1
        session.expire_all()
        assert delivery.status is DeliveryStatus.SENT


@pytest.mark.parametrize("outcome", Outcome)
def test_a_result_that_is_written_twice_counts_once(begin, outcome):
    with begin() as session:
        (delivery,) = owed(session, 1)
        worker = a_worker(session)
        claim(session, worker)
        twice = result(outcome, delivery.id, reply=GREYLISTED)
        assert results.record(session, worker, [twice, twice], now=LATE) == 1
        session.expire_all()
        once = _facts(delivery)
        assert results.record(session, worker, [twice], now=LATE) == 0
        session.expire_all()
        assert _facts(delivery) == once


def test_a_final_delivery_never_changes(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        worker = a_worker(session)
        claim(session, worker)
        results.record(session, worker, [result(Outcome.TAKEN, delivery.id)], now=LATE)
        for outcome in Outcome:
            assert results.record(session, worker, [result(outcome, delivery.id)], now=LATE) == 0
        assert reclaiming.reclaim(session, [worker], now=LATE) == 0
        session.expire_all()
        assert delivery.status is DeliveryStatus.SENT


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("<ana@example.org>: no such user", "5.1.1 <address>: no such user"),
        ("no user ana@example.org here", "5.1.1 no user <address> here"),
        ("5.1.1 is its status", "5.1.1 is its status"),
        ("see https://letters.example/u/k1.AbCd-12_x", "5.1.1 see https://letters.example/u/…"),
        ("ANA@EXAMPLE.ORG, ana+news@example.org", "5.1.1 <address>, <address>"),
        ("a\x00b\x01c\ud800d\r\ne\x85f", "5.1.1 a b c d e f"),
        ("\u202eÄöü 你好", "5.1.1 \u202eÄöü 你好"),
        ("%s :id {0} '; DROP TABLE deliveries", "5.1.1 %s :id {0} '; DROP TABLE deliveries"),
        ("x" * 100_000, "5.1.1 " + "x" * 394),
        ("", "5.1.1"),
    ],
)
def test_a_reply_is_stored_without_addresses_and_without_characters_that_a_database_refuses(begin, text, stored):
    with begin() as session:
        odd, plain = owed(session, 2)
        worker = a_worker(session)
        claim(session, worker)
        group = [result(Outcome.REFUSED, odd.id, reply=Reply(550, "5.1.1", text)), result(Outcome.TAKEN, plain.id)]
        assert results.record(session, worker, group, now=LATE) == 2
    with begin() as session:
        texts = dict(session.execute(select(Delivery.id, Delivery.reply_text)).all())
    assert texts == {odd.id: stored, plain.id: None}


@pytest.mark.parametrize(
    ("outcomes", "statements"),
    [([Outcome.TAKEN], ["UPDATE"]), (list(Outcome), ["UPDATE", "UPDATE", "SELECT", "UPDATE"])],
)
def test_a_group_of_sixty_four_is_recorded_in_few_statements(begin, database, outcomes, statements):
    with begin() as session:
        deliveries = owed(session, 64)
        worker = a_worker(session)
        claim(session, worker)
    outcomes = [outcomes[number % len(outcomes)] for number in range(64)]
    group = [result(outcome, each.id, reply=GREYLISTED) for each, outcome in zip(deliveries, outcomes, strict=True)]
    with executed(database) as executed_statements, begin() as session:
        assert results.record(session, worker, group, now=LATE) == 64
    assert [each.split()[0] for each in executed_statements if each.split()[0] in ("SELECT", "UPDATE")] == statements
    expected = {
        Outcome.TAKEN: DeliveryStatus.SENT,
        Outcome.REFUSED: DeliveryStatus.FAILED,
        Outcome.UNTOUCHED: DeliveryStatus.QUEUED,
        Outcome.LATER: DeliveryStatus.QUEUED,
        Outcome.IN_DOUBT: DeliveryStatus.IN_DOUBT,
    }
    with begin() as session:
        found = session.scalars(select(Delivery.status).order_by(Delivery.id)).all()
    assert found == [expected[outcome] for outcome in outcomes]


def test_the_letters_of_a_stopped_worker_go_to_the_next_one(begin):
    with begin() as session:
        plain, doubtful = owed(session, 2)
        doubtful.status, doubtful.doubts = DeliveryStatus.IN_DOUBT, 1
        (living,) = owed(session, 1)
        stopped, alive = a_worker(session), a_worker(session)
        living.status, living.carrier_id = DeliveryStatus.CLAIMED, alive
        session.flush()
        claim(session, stopped)
        assert reclaiming.reclaim(session, [stopped], now=LATE) == 2
        session.expire_all()
        assert [each.status for each in (plain, doubtful)] == [DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT]
        assert [each.deaths for each in (plain, doubtful, living)] == [1, 1, 0]
        assert living.status is DeliveryStatus.CLAIMED
        assert {each.delivery for each in claim(session, alive)} == {plain.id, doubtful.id}


def test_a_worker_whose_lease_expired_can_report_until_another_claims_the_letter(begin):
    with begin() as session:
        kept, passed_on = owed(session, 2)
        expired, next_one = a_worker(session), a_worker(session)
        claim(session, expired)
        reclaiming.reclaim(session, [expired], now=NOON)
        passed_on.due_at, kept.due_at = NOON, LATE
        session.flush()
        assert [each.delivery for each in claim(session, next_one)] == [passed_on.id]
        late_results = [result(Outcome.TAKEN, kept.id), result(Outcome.TAKEN, passed_on.id)]
        assert results.record(session, expired, late_results, now=LATE) == 1
        session.expire_all()
        assert (kept.status, kept.carrier_id) == (DeliveryStatus.SENT, expired)
        assert (passed_on.status, passed_on.carrier_id) == (DeliveryStatus.CLAIMED, next_one)


def test_a_letter_that_four_workers_did_not_survive_was_sent_alone_at_last_and_ends_unknown(begin):
    with begin() as session:
        poison, innocent = owed(session, 2)
        for _ in range(SUSPECT_DEATHS):
            stopped = a_worker(session)
            assert len(claim(session, stopped)) == 2
            reclaiming.reclaim(session, [stopped], now=NOON)
        last = a_worker(session)
        assert claim(session, last) == [], "neither is claimed beside others any more"
        (alone,) = claims.claim_suspect(session, last, urgent=False, key="k1", now=NOON)
        assert alone.delivery == poison.id
        assert reclaiming.reclaim(session, [last], now=LATE) == 1
        session.expire_all()
        assert (poison.status, poison.decided_at, poison.deaths) == (DeliveryStatus.UNKNOWN, LATE, SUSPECT_DEATHS + 1)
        assert "4 workers stopped" in poison.reply_text
        assert innocent.status is DeliveryStatus.QUEUED
        living = a_worker(session)
        (next_one,) = claims.claim_suspect(session, living, urgent=False, key="k1", now=NOON)
        assert (
            results.record(session, living, [result(Outcome.TAKEN, next_one.delivery, next_one.attempt)], now=LATE) == 1
        )


def test_without_expired_leases_nothing_is_reclaimed(begin):
    with begin() as session:
        owed(session, 1)
        claim(session, a_worker(session))
        assert reclaiming.reclaim(session, [], now=NOON) == 0
