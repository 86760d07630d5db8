"""Which sign-ups wait in the slow lane: those over a limit, and those that a program may have posted."""

from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from altcha import Payload, solve_challenge
from sqlalchemy import select

from newsletter.consent.limits import networks, proof_of_work
from newsletter.consent.limits.form_signs import Doubt
from newsletter.consent.limits.pressure import PROOF_FACTOR, LetterLimits
from newsletter.consent.limits.used_solutions import UsedSolution
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups import slow_lane
from newsletter.consent.signups.signups import Signup
from newsletter.mail.mailings.confirmations import processing
from newsletter.privacy import expiry
from tests.builders import KEYRING, a_newsletter, a_signup
from tests.clock import NOON
from tests.confirming import NO_LIMITS, answering, count, letters_owed, process

ONE_A_CLIENT = NO_LIMITS._replace(host=1)
NEIGHBORS = "198.51.100.1"  # whose address they share


@cache
def solution(number: int = 0) -> str:
    """Return a solution, solved once."""
    challenge = proof_of_work.challenge(KEYRING, now=NOON, number=number)
    solved = solve_challenge(challenge)
    assert solved
    return Payload(challenge, solved).to_base64()


def post(begin, *posted: dict[str, Any], limits: LetterLimits = ONE_A_CLIENT, now=NOON) -> list[bool]:
    """Store and answer forms; return which of them wait in the slow lane."""
    with begin() as session:
        newsletter = a_newsletter(session, f"paper{count(begin, Signup)}")
        columns = {"evidence": {"ip": NEIGHBORS}, "network_key": networks.keys(KEYRING, NEIGHBORS).network}
        stored = [a_signup(session, newsletter, **{**columns, "received_at": now, **each}).id for each in posted]
    process(begin, limits=limits, now=now)
    with begin() as session:
        return [session.get_one(Signup, number).slow_lane_at is not None for number in stored]


def have_a_turn(begin, *, now, limits: LetterLimits = ONE_A_CLIENT) -> int:
    """Answer those in the slow lane whose turn has come; return how many."""

    def claim(session):
        return slow_lane.claim(session, keyring=KEYRING, limits=limits, limit=200, after=None, now=now).rows

    return len(processing.process(begin, claim, answering(limits=limits), clock=lambda: now))


def is_under_attack(begin) -> bool:
    with begin() as session:
        return slow_lane.is_under_attack(session)


def test_a_form_with_the_hidden_field_filled_in_waits_a_minute_and_is_then_one_like_any_other(begin):
    assert post(begin, {"doubt": Doubt.TRAP}, {}, limits=NO_LIMITS) == [True, False]
    assert not is_under_attack(begin), "one program makes nobody work"
    assert have_a_turn(begin, now=NOON + timedelta(seconds=59), limits=NO_LIMITS) == 0
    assert have_a_turn(begin, now=NOON + timedelta(seconds=60), limits=NO_LIMITS) == 1
    assert letters_owed(begin) == 2


def test_many_doubted_forms_that_wait_are_an_attack(begin):
    post(begin, *([{"doubt": Doubt.TRAP}] * slow_lane.MANY_DOUBTED), limits=NO_LIMITS)
    assert is_under_attack(begin)


def test_who_was_fast_waits_only_while_limits_hold_others_up(begin):
    elsewhere = {"evidence": {"ip": "203.0.113.1"}, "network_key": "elsewhere"}
    fast = {"doubt": Doubt.YOUNG, "evidence": {"ip": "203.0.113.2"}}
    assert post(begin, {}, fast) == [False, False]
    assert post(begin, {}, fast | {"evidence": {"ip": "203.0.113.3"}}, elsewhere) == [True, True, False]
    assert is_under_attack(begin)


@pytest.mark.parametrize("doubt", [None, Doubt.TRAP])
def test_a_proof_of_work_buys_the_fast_lane_once(begin, doubt):
    assert post(begin, {}, {"doubt": doubt}) == [False, True]
    proven = {"doubt": doubt, "solution": solution()}
    assert post(begin, proven, proven) == [False, True], "of two in one set, one counts"
    assert post(begin, proven) == [True], "nor does it count again later"
    assert post(begin, {"doubt": doubt, "solution": solution(1)}) == [False]
    assert count(begin, UsedSolution) == 2


def test_a_proof_is_used_up_only_where_it_bought_something(begin):
    assert post(begin, {"solution": solution()}) == [False]
    assert count(begin, UsedSolution) == 0


def test_what_counts_is_when_the_form_was_posted_and_not_when_a_worker_has_time(begin):
    expired = {"solution": solution(), "received_at": NOON + proof_of_work.LIFETIME}
    in_time = {"solution": solution(), "received_at": NOON + proof_of_work.LIFETIME - timedelta(seconds=1)}
    assert post(begin, {}, expired, in_time, now=NOON + timedelta(hours=2)) == [False, True, False]


def test_a_solution_that_is_forged_or_none_is_no_error(begin):
    assert post(begin, {}, {"solution": "eyJmb3JnZWQiOnRydWV9"}, {"solution": "A" * 2000}) == [False, True, True]


@pytest.mark.parametrize(
    ("limits", "letters"),
    [
        (NO_LIMITS._replace(host=1), PROOF_FACTOR),
        (NO_LIMITS._replace(network=1), PROOF_FACTOR),
        (NO_LIMITS._replace(domain=2), 2),
        (NO_LIMITS._replace(overall=3), 3),
    ],
)
def test_proofs_raise_the_limits_of_host_and_network_and_no_others(begin, limits, letters):
    proven = [{"solution": solution(number)} for number in range(PROOF_FACTOR + 2)]
    assert post(begin, *proven, limits=limits).count(False) == letters == letters_owed(begin)


def test_proofs_buy_no_fourth_letter_to_an_inbox(begin):
    for number in range(5):
        at = NOON + timedelta(minutes=11 * number)
        post(begin, {"address": "ana+x@example.org", "solution": solution(number), "received_at": at}, now=at)
    assert letters_owed(begin) == 2, "a tagged spelling has two of the three tickets"


def test_used_solutions_are_forgotten_when_no_form_with_them_can_be_left(begin):
    post(begin, {}, {"solution": solution()})
    last = NOON + proof_of_work.LIFETIME + LINK_LIFETIME
    for now, left in ((last - timedelta(seconds=1), 1), (last, 0)):
        with begin() as session:
            expiry.delete_expired(session, now=now)
        with begin() as session:
            assert len(session.scalars(select(UsedSolution)).all()) == left
