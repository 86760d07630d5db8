"""What a carrier's report makes of a delivery, and when it makes nothing of it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.deliveries import DEATHS, OPEN, Delivery, DeliveryStatus
from newsletter.mail.delivery.results import DOUBT, Held
from newsletter.mail.letters.letters import LetterKind
from newsletter.mail.transport.transport import Outcome, Reply, Result
from tests.builders import a_carrier, owed
from tests.clock import NOON
from tests.statements import executed

LATE = NOON + timedelta(seconds=7)
GREYLISTED = Reply(451, "4.7.1", "come back later")


def held(**given) -> Held:
    facts = {"id": 1, "attempt": 1, "kind": LetterKind.ISSUE, "first_tried_at": NOON, "due_at": NOON, **given}
    return Held(**facts)


def report(outcome: Outcome, delivery: int = 1, attempt: int = 1, reply: Reply | None = None) -> Result:
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
            {"status": DeliveryStatus.IN_DOUBT, "doubts": 1, "due_at": LATE + DOUBT, "decided_at": None},
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
def test_each_fate_leads_to_its_state(outcome, before, after):
    decided = results.decide(held(**before), report(outcome), now=LATE, jitter=1)
    assert decided | after == decided


def test_a_relay_that_refuses_the_repeat_says_nothing_of_the_copy_that_it_may_have_taken():
    refused = report(Outcome.REFUSED, reply=Reply(550, "5.1.1", "no such user"))
    decided = results.decide(held(doubts=1), refused, now=LATE)
    assert (decided["status"], decided["reply_code"]) == (DeliveryStatus.UNKNOWN, 550)


def test_a_letter_of_a_dead_worker_waits_for_a_person_like_any_other_that_is_refused_because_of_us():
    decided = results.decide(held(deaths=1), report(Outcome.LATER, reply=UNAUTHENTICATED), now=LATE)
    assert (decided["status"], decided["deaths"]) == (DeliveryStatus.QUEUED, 1)


@given(
    outcome=st.sampled_from(Outcome),
    kind=st.sampled_from(LetterKind),
    age=st.timedeltas(timedelta(0), timedelta(days=9)),
    deferrals=st.integers(0, 50),
    doubts=st.integers(0, 1),
)
def test_a_decided_delivery_says_when_and_an_open_one_does_not(outcome, kind, age, deferrals, doubts):
    before = held(kind=kind, first_tried_at=LATE - age, deferrals=deferrals, doubts=doubts)
    after = results.decide(before, report(outcome), now=LATE)
    assert (after["status"] in OPEN) == (after["decided_at"] is None)
    assert after["status"] is not DeliveryStatus.CLAIMED
    assert (after["status"] is DeliveryStatus.IN_DOUBT) <= (after["doubts"] == 1)


@given(deferrals=st.integers(0, 10))
def test_waits_differ_by_a_tenth_so_that_a_herd_spreads(deferrals):
    def wait(**given) -> timedelta:
        return results.decide(held(deferrals=deferrals), report(Outcome.LATER), now=NOON, **given)["due_at"] - NOON

    assert 0.9 * wait(jitter=1) <= wait() <= 1.1 * wait(jitter=1)
    assert len({wait() for _ in range(20)}) > 1


UNAUTHENTICATED = Reply(550, "5.7.26", "This mail is unauthenticated")


@pytest.mark.parametrize(
    ("kind", "doubts", "status"),
    [
        (LetterKind.ISSUE, 0, DeliveryStatus.QUEUED),  # until the issue is paused, or is not
        (LetterKind.ISSUE, 1, DeliveryStatus.UNKNOWN),
        (LetterKind.CONFIRMATION, 0, DeliveryStatus.FAILED),
        (LetterKind.TEST, 0, DeliveryStatus.FAILED),
    ],
)
def test_what_is_refused_for_good_because_of_us_waits_for_a_person_or_ends(kind, doubts, status):
    said = report(Outcome.LATER)._replace(reply=UNAUTHENTICATED)
    decided = results.decide(held(kind=kind, doubts=doubts), said, now=LATE)
    assert decided["status"] is status
    assert (decided["reply_code"], decided["decided_at"] is None) == (550, status is DeliveryStatus.QUEUED)


def claim(session, carrier: int, *, now=NOON) -> list[claims.Claimed]:
    return claims.claim(session, carrier, limit=500, urgent=False, key="k1", now=now)


def test_a_report_is_recorded_on_the_row_it_is_about(begin):
    with begin() as session:
        one, other = owed(session, 2)
        carrier = a_carrier(session)
        claim(session, carrier)
        reply = Reply(250, "2.0.0", "queued as 4F2")
        assert results.record(session, carrier, [report(Outcome.TAKEN, one.id, reply=reply)], now=LATE) == 1
        session.expire_all()
        assert (one.status, one.decided_at, one.carrier_id) == (DeliveryStatus.SENT, LATE, carrier)
        assert (one.reply_code, one.reply_text) == (250, "2.0.0 queued as 4F2")
        assert other.status is DeliveryStatus.CLAIMED


def test_what_goes_back_untouched_is_as_it_was_but_for_its_attempt(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, deferrals=2, reply_code=451, reply_text="come back later")
        before = _facts(delivery)
        carrier = a_carrier(session)
        claim(session, carrier)
        results.record(session, carrier, [report(Outcome.UNTOUCHED, delivery.id)], now=LATE)
        session.expire_all()
        assert _facts(delivery) == before
        assert delivery.attempt == 1
        assert [each.attempt for each in claim(session, carrier)] == [2]


def _facts(delivery: Delivery) -> dict:
    changing = ("attempt", "first_tried_at", "key_id")
    return {c.name: getattr(delivery, c.name) for c in Delivery.__table__.c if c.name not in changing}


def test_a_letter_in_doubt_is_repeated_once(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        carrier = a_carrier(session)
        (first,) = claim(session, carrier)
        results.record(session, carrier, [report(Outcome.IN_DOUBT, delivery.id)], now=NOON)
        assert claim(session, carrier, now=NOON + DOUBT - timedelta(seconds=1)) == []
        (second,) = claim(session, carrier, now=NOON + DOUBT)
        assert second == first._replace(attempt=2), "so its parcel is the same"
        results.record(session, carrier, [report(Outcome.IN_DOUBT, delivery.id, 2)], now=NOON)
        session.expire_all()
        assert delivery.status is DeliveryStatus.UNKNOWN
        assert claim(session, carrier, now=NOON + timedelta(days=9)) == []


def test_only_the_carrier_and_the_attempt_that_hold_a_letter_can_report_on_it(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        mine, another = a_carrier(session), a_carrier(session)
        claim(session, mine)
        for stranger in (
            results.record(session, another, [report(Outcome.TAKEN, delivery.id)], now=LATE),
            results.record(session, mine, [report(Outcome.TAKEN, delivery.id, attempt=2)], now=LATE),
            results.record(session, mine, [report(Outcome.TAKEN, delivery.id, attempt=0)], now=LATE),
            results.record(session, mine, [report(Outcome.TAKEN, delivery.id + 1)], now=LATE),
            results.record(session, mine, [], now=LATE),
        ):
            assert stranger == 0
        session.expire_all()
        assert delivery.status is DeliveryStatus.CLAIMED
        assert results.record(session, mine, [report(Outcome.TAKEN, delivery.id)], now=LATE) == 1


def test_a_stale_report_does_not_push_aside_the_true_one_of_the_same_group(begin):
    with begin() as session:
        (delivery,) = owed(session, 1, attempt=1)
        carrier = a_carrier(session)
        claim(session, carrier)
        both = [report(Outcome.REFUSED, delivery.id, 1), report(Outcome.TAKEN, delivery.id, 2)]
        assert results.record(session, carrier, both, now=LATE) == 1
        session.expire_all()
        assert delivery.status is DeliveryStatus.SENT


@pytest.mark.parametrize("outcome", Outcome)
def test_a_report_that_is_written_twice_counts_once(begin, outcome):
    with begin() as session:
        (delivery,) = owed(session, 1)
        carrier = a_carrier(session)
        claim(session, carrier)
        said = report(outcome, delivery.id, reply=GREYLISTED)
        assert results.record(session, carrier, [said, said], now=LATE) == 1
        session.expire_all()
        once = _facts(delivery)
        assert results.record(session, carrier, [said], now=LATE) == 0
        session.expire_all()
        assert _facts(delivery) == once


def test_a_decided_delivery_is_never_decided_again(begin):
    with begin() as session:
        (delivery,) = owed(session, 1)
        carrier = a_carrier(session)
        claim(session, carrier)
        results.record(session, carrier, [report(Outcome.TAKEN, delivery.id)], now=LATE)
        for outcome in Outcome:
            assert results.record(session, carrier, [report(outcome, delivery.id)], now=LATE) == 0
        assert results.reclaim(session, [carrier], now=LATE) == 0
        session.expire_all()
        assert delivery.status is DeliveryStatus.SENT


@pytest.mark.parametrize(
    ("said", "kept"),
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
def test_a_reply_is_stored_without_the_address_and_without_what_a_database_refuses(begin, said, kept):
    with begin() as session:
        odd, plain = owed(session, 2)
        carrier = a_carrier(session)
        claim(session, carrier)
        group = [report(Outcome.REFUSED, odd.id, reply=Reply(550, "5.1.1", said)), report(Outcome.TAKEN, plain.id)]
        assert results.record(session, carrier, group, now=LATE) == 2
    with begin() as session:
        stored = dict(session.execute(select(Delivery.id, Delivery.reply_text)).all())
    assert stored == {odd.id: kept, plain.id: None}


@pytest.mark.parametrize(
    ("fates", "statements"), [([Outcome.TAKEN], ["UPDATE"]), (list(Outcome), ["UPDATE", "UPDATE", "SELECT", "UPDATE"])]
)
def test_a_group_of_sixty_four_is_recorded_in_few_statements(begin, database, fates, statements):
    with begin() as session:
        deliveries = owed(session, 64)
        carrier = a_carrier(session)
        claim(session, carrier)
    fates = [fates[number % len(fates)] for number in range(64)]
    group = [report(outcome, each.id, reply=GREYLISTED) for each, outcome in zip(deliveries, fates, strict=True)]
    with executed(database) as said, begin() as session:
        assert results.record(session, carrier, group, now=LATE) == 64
    assert [each.split()[0] for each in said if each.split()[0] in ("SELECT", "UPDATE")] == statements
    leads = {
        Outcome.TAKEN: DeliveryStatus.SENT,
        Outcome.REFUSED: DeliveryStatus.FAILED,
        Outcome.UNTOUCHED: DeliveryStatus.QUEUED,
        Outcome.LATER: DeliveryStatus.QUEUED,
        Outcome.IN_DOUBT: DeliveryStatus.IN_DOUBT,
    }
    with begin() as session:
        found = session.scalars(select(Delivery.status).order_by(Delivery.id)).all()
    assert found == [leads[outcome] for outcome in fates]


def test_the_letters_of_a_dead_carrier_go_to_whoever_comes_next(begin):
    with begin() as session:
        plain, doubtful = owed(session, 2)
        doubtful.status, doubtful.doubts = DeliveryStatus.IN_DOUBT, 1
        (living,) = owed(session, 1)
        dead, alive = a_carrier(session), a_carrier(session)
        living.status, living.carrier_id = DeliveryStatus.CLAIMED, alive
        session.flush()
        claim(session, dead)
        assert results.reclaim(session, [dead], now=LATE) == 2
        session.expire_all()
        assert [each.status for each in (plain, doubtful)] == [DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT]
        assert [each.deaths for each in (plain, doubtful, living)] == [1, 1, 0]
        assert living.status is DeliveryStatus.CLAIMED
        assert {each.delivery for each in claim(session, alive)} == {plain.id, doubtful.id}


def test_whom_silence_made_look_dead_still_knows_best_until_somebody_else_has_the_letter(begin):
    with begin() as session:
        kept, passed_on = owed(session, 2)
        silent, next_one = a_carrier(session), a_carrier(session)
        claim(session, silent)
        results.reclaim(session, [silent], now=NOON)
        passed_on.due_at, kept.due_at = NOON, LATE
        session.flush()
        assert [each.delivery for each in claim(session, next_one)] == [passed_on.id]
        word = [report(Outcome.TAKEN, kept.id), report(Outcome.TAKEN, passed_on.id)]
        assert results.record(session, silent, word, now=LATE) == 1
        session.expire_all()
        assert (kept.status, kept.carrier_id) == (DeliveryStatus.SENT, silent)
        assert (passed_on.status, passed_on.carrier_id) == (DeliveryStatus.CLAIMED, next_one)


def test_a_letter_that_four_workers_did_not_survive_is_given_up_the_last_time_alone_and_is_unknown(begin):
    with begin() as session:
        poison, innocent = owed(session, 2)
        for _ in range(DEATHS):
            dead = a_carrier(session)
            assert len(claim(session, dead)) == 2
            results.reclaim(session, [dead], now=NOON)
        last = a_carrier(session)
        assert claim(session, last) == [], "neither travels in company any more"
        (alone,) = claims.claim_suspect(session, last, urgent=False, key="k1", now=NOON)
        assert alone.delivery == poison.id
        assert results.reclaim(session, [last], now=LATE) == 1
        session.expire_all()
        assert (poison.status, poison.decided_at, poison.deaths) == (DeliveryStatus.UNKNOWN, LATE, DEATHS + 1)
        assert "processes ended" in poison.reply_text
        assert innocent.status is DeliveryStatus.QUEUED
        living = a_carrier(session)
        (next_one,) = claims.claim_suspect(session, living, urgent=False, key="k1", now=NOON)
        assert (
            results.record(session, living, [report(Outcome.TAKEN, next_one.delivery, next_one.attempt)], now=LATE) == 1
        )


def test_nobody_dead_means_nothing_to_hand_back(begin):
    with begin() as session:
        owed(session, 1)
        claim(session, a_carrier(session))
        assert results.reclaim(session, [], now=NOON) == 0
