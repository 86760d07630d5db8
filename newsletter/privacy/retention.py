"""Delete sign-ups whose retention period is over, as the confirmation letters promise."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter.consent.limits import pressure
from newsletter.consent.signups import signups
from newsletter.consent.signups.signups import SLOW_LANE_LIFETIME, Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.mail.letters.letters import Letter
from newsletter.privacy import folding, lapses
from newsletter.privacy.lapses import CurrentStanding, Person

BATCH_SIZE = 200  # sign-ups in one transaction
LINKS_AFTER_LEAVING = timedelta(days=30)  # how long the links in a confirmation letter work after the reader has left
RECHECK = timedelta(hours=1)  # of a reader with an open request, which lapses within days

# The states in which a sign-up has reached the ledger, so that its deletion may end a request there.
REQUESTED = (SignupState.ASKED, SignupState.CONFIRMED, SignupState.REFUSED)


class DueSignup(NamedTuple):
    """A sign-up that retention examines."""

    id: int
    address_key: str
    newsletters: list[int]
    state: SignupState
    received_at: datetime
    asked_at: datetime | None
    slow_lane_at: datetime | None
    forget_at: datetime


def forget_due(session: Session, *, now: datetime, limit: int = BATCH_SIZE) -> int:
    """Delete what is due; return how many sign-ups were checked for that, at most `limit`.

    An unconfirmed sign-up is deleted 72 hours after its letter was owed, and the address with it. The ledger then holds
    no personal data about it (GDPR Art. 5(1)(e)), and an entry `lapsed` accounts for the missing evidence. A sign-up
    that still waits in the slow lane is deleted 24 hours after it was received. A confirmed one is cut down to what its
    links need, and deleted 30 days after the subscriber has left. Its letter goes with it, folded into a total.

    `forget_at` says when to check a sign-up next, so that each call reads only what is due instead of every reader. The
    number of statements does not depend on the number of sign-ups.
    """
    due = _lock_due(session, now, limit)
    over = [each for each in due if _ends_at(each) <= now]
    kept: list[dict[str, Any]] = [{"id": each.id, "forget_at": at} for each in due if (at := _ends_at(each)) > now]
    reduced: list[dict[str, Any]] = []
    confirmed = [each for each in over if each.state == SignupState.CONFIRMED]
    gone = [each for each in over if each.state != SignupState.CONFIRMED]
    addresses = {each.address_key for each in over if each.state in REQUESTED}
    people = lapses.lock(session, addresses, without=[each.id for each in gone], now=now)
    for signup in gone:
        if person := people.get(signup.address_key):
            person.end_requests(signup.newsletters)
    for signup in confirmed:
        person = people.get(signup.address_key)
        if person and (until := _needed_until(person.standings.values(), now)):
            reduced.append(
                {"id": signup.id, "forget_at": until, "evidence": {}, "replaces": None}
            )  # the ledger has the evidence
            continue
        gone.append(signup)
        if person:
            person.end_requests(signup.newsletters)
    _write(session, gone, people.values(), now)
    for rows in filter(None, (kept, reduced)):
        session.execute(update(Signup), rows)
    session.flush()
    return len(due)


def forget_of(session: Session, address_key: str, *, now: datetime) -> None:
    """Delete the sign-ups of an address that its reader leaves for another one, as if their time were over.

    Nobody could confirm an open one any more, and the links of a confirmed one would no longer find the person. The
    caller has locked them, and then the person.
    """
    columns = [getattr(Signup, name) for name in DueSignup._fields]
    known = select(*columns).where(Signup.address_key == address_key, Signup.state.in_(REQUESTED))
    gone = [DueSignup._make(row) for row in session.execute(known.order_by(Signup.id).with_for_update())]
    if not gone:
        return
    people = lapses.lock(session, {address_key}, without=[each.id for each in gone], now=now)
    for signup in gone:
        if person := people.get(address_key):
            person.end_requests(signup.newsletters)
    _write(session, gone, people.values(), now)


def _lock_due(session: Session, now: datetime, limit: int) -> list[DueSignup]:
    columns = [getattr(Signup, name) for name in DueSignup._fields]
    due = select(*columns).where(Signup.forget_at <= now).order_by(Signup.forget_at).limit(limit)
    return [DueSignup._make(row) for row in session.execute(due.with_for_update(skip_locked=True))]


def _ends_at(signup: DueSignup) -> datetime:
    """Return until when a sign-up is needed at least: its link works, or it waits for its turn."""
    if signup.slow_lane_at:
        return signup.received_at + SLOW_LANE_LIFETIME
    if signup.state == SignupState.QUIET and signup.forget_at >= signup.received_at:
        return signup.forget_at  # it has no link
    return signups.link_ends_at(signup)  # `forget_at` may come from a release that does not know one of the columns


def _needed_until(standings: Iterable[CurrentStanding], now: datetime) -> datetime | None:
    """Return until when, at least, a confirmed sign-up is needed; None if it is not needed.

    It is needed while its person reads a newsletter, and for LINKS_AFTER_LEAVING afterwards. Its links find the person
    only by this row: to say "confirmed before", or to record that they want no more mail.
    """
    return max((until for each in standings if (until := _links_end(each, now)) > now), default=None)


def _links_end(subscription: CurrentStanding, now: datetime) -> datetime:
    """Return the earliest time at which a subscription no longer needs the links. A reader may leave right now."""
    match subscription.standing:
        case Standing.SUBSCRIBED:
            return now + LINKS_AFTER_LEAVING
        case Standing.ASKED:
            return min(now + RECHECK, subscription.since + LINKS_AFTER_LEAVING)
        case Standing.LEFT:
            return subscription.since + LINKS_AFTER_LEAVING


def _write(session: Session, gone: Sequence[DueSignup], people: Iterable[Person], now: datetime) -> None:
    if not gone:
        return
    asked = [each.id for each in gone if each.state in REQUESTED]
    if asked:
        folding.fold(session, Letter.signup_id.in_(asked), now=now)
    # The subscribers that are touched may have been locked for a confirmed sign-up that stays: nothing lapsed there.
    lapses.write(session, [each for each in people if each.lapsed or each.is_gone], now=now)
    session.execute(delete(Signup).where(Signup.id.in_([each.id for each in gone])))
    without_turn = sum(each.slow_lane_at is not None for each in gone)
    pressure.add(session, Counter({pressure.LAPSED: without_turn} if without_turn else {}), now=now)
