"""The jobs of sign-ups: answer those received, and those in the slow lane whose turn has come."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.consent.signups import signup_queue, slow_lane
from newsletter.mail.mailings.confirmations import processing
from newsletter.mail.mailings.confirmations.processing import Signups
from workers.context import Context

LOOK_INTERVAL = timedelta(seconds=2)  # between two looks into the slow lane after one that found nobody's turn

log = logging.getLogger(__name__)


def process_signups(context: Context) -> bool:
    """Turn received sign-ups into confirmation letters, as many as the relays take soon; networks take turns."""
    turns, limit = context.turns, 0

    def claim(session: Session) -> Signups:
        nonlocal limit
        turns.is_held_back = False
        waiting = signup_queue.waiting(session)
        turns.has_address_changes = waiting.address_changes
        if not waiting.signups:
            return []
        limit = _allowance(context, session)
        turns.is_held_back = limit == 0
        return signup_queue.claim(session, limit=limit, after=turns.received, now=context.now()) if limit else []

    answered = _answer(context, claim)
    if answered:
        turns.received = answered[-1].network_key
    return 0 < limit == len(answered)


def answer_slow_lane(context: Context) -> bool:
    """Answer sign-ups in the slow lane whose turn has come; let those lapse that had none in time."""
    turns, now = context.turns, context.now()
    if turns.looked_at and abs(now - turns.looked_at) < LOOK_INTERVAL:  # absolute: a clock may be set back
        return False
    turns.looked_at = now
    if not _is_open(context, now):
        return False

    def claim(session: Session) -> Signups:
        # At least one, so that received sign-ups never take all that a slow relay can.
        turn = slow_lane.claim(
            session,
            keyring=context.keyring,
            limits=context.answering.limits,
            limit=max(1, _allowance(context, session)),
            after=turns.slow,
            now=context.now(),
        )
        turns.slow = turn.after
        return turn.rows

    if not _answer(context, claim):
        return False
    turns.looked_at = None
    return True


def _answer(context: Context, claim: Callable[[Session], Signups]) -> Signups:
    answered = processing.process(
        context.database.writing,
        claim,
        context.answering,
        clock=context.now,
        on_claim=context.dispatcher.priority.acquire,
    )
    if answered:
        log.info("sign-ups processed", extra={"count": len(answered)})
    return answered


def _allowance(context: Context, session: Session) -> int:
    backpressure = context.dispatcher.lane(urgent=True).backpressure
    return min(processing.SET_SIZE, backpressure.allowance(session, now=context.now()))


def _is_open(context: Context, now: datetime) -> bool:
    """Return whether sign-ups wait in the slow lane; log whether a limit holds them up, and how many have lapsed."""
    with context.database.writing() as session:
        lapsed, is_open = slow_lane.lapse(session, now=now), slow_lane.is_open(session)
        is_under_attack = is_open and slow_lane.is_under_attack(session)
    if lapsed:
        log.warning("sign-ups lapsed: their letters had no turn within a day", extra={"count": lapsed})
    if is_under_attack and not context.turns.is_lane_open:
        log.warning("the slow lane opens: a limit of confirmation letters is reached (newsletter signups pressure)")
    if context.turns.is_lane_open and not is_under_attack:
        log.info("the slow lane closes: no limit holds a confirmation letter up any more")
    context.turns.is_lane_open = is_under_attack
    return is_open
