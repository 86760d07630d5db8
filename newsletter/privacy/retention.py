"""Retention: what was kept for a time is deleted when the time is over, because the letters promised it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, subscribers
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.signups import LINK_LIFETIME, Signup, SignupLetter, SignupState, expired
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.newsletters import Newsletter

MOST = 200  # sign-ups in one transaction
AFTERWARDS = timedelta(days=30)  # how long the links of the letter that was confirmed still answer who has left
SOON = timedelta(hours=1)  # until who asked again is looked at again: what they are asked lapses in days, not in weeks


def forget_due(session: Session, *, now: datetime) -> int:
    """Forget what has had its time; returns how many sign-ups were looked at for that, at most 200.

    A sign-up that nobody confirmed goes after 72 hours and the address with it: what is left in the ledger names nobody
    (GDPR Art. 5(1)(e)), and the missing evidence is accounted for by an entry `lapsed`. One that was confirmed shrinks
    to what its links need, and goes 30 days after the subscriber has left. Until then `forget_at` says when it is
    looked at next, so that each ring reads only what is due, and not every reader there is.
    """
    session.execute(delete(TraceRow).where(TraceRow.expires_at <= now))
    session.execute(delete(SignupLetter).where(SignupLetter.day < (now - timedelta(days=2)).date()))
    due = select(Signup).where(Signup.forget_at <= now).order_by(Signup.forget_at).limit(MOST)
    # One person after the other, in one order: two workers that forget at once never wait for each other in a circle.
    found = sorted(session.scalars(due.with_for_update(skip_locked=True)), key=lambda signup: signup.address_key)
    for signup in found:
        if not expired(signup, now=now):
            signup.forget_at = signup.received_at + LINK_LIFETIME  # a release without the column received it
        elif until := _needed_until(session, signup, now=now):
            signup.forget_at, signup.evidence = until, {}  # the ledger has it
        else:
            session.delete(signup)
            _let_go(session, signup.address_key, signup.newsletters, now=now)
    session.flush()
    return len(found)


def _needed_until(session: Session, signup: Signup, *, now: datetime) -> datetime | None:
    """Until when a sign-up is needed at the least; None if it is not.

    It is as long as somebody confirmed it who reads a newsletter, or did until lately: its row is all that its links
    can find them by, to say "confirmed before", or never to write to them again.
    """
    if signup.state != SignupState.CONFIRMED:
        return None
    reader = subscribers.lock_by_key(session, signup.address_key)
    if reader is None:
        return None
    theirs = subscribers.subscriptions(session, reader.id).values()
    return max((until for each in theirs if (until := _ends(each, now)) > now), default=None)


def _ends(subscription: Subscription, now: datetime) -> datetime:
    """When a subscription ends to need the links, at the earliest: whoever leaves only now, in thirty days."""
    match subscription.standing:
        case Standing.SUBSCRIBED:
            return now + AFTERWARDS
        case Standing.ASKED:
            return min(now + SOON, subscription.since + AFTERWARDS)
        case Standing.LEFT:
            return subscription.since + AFTERWARDS


def _let_go(session: Session, address_key: str, asked: Collection[int], *, now: datetime) -> None:
    """End what nobody confirmed, and forget the person unless there is more between us."""
    subscriber = subscribers.lock_by_key(session, address_key)
    if subscriber is None:
        return
    waiting = _still_asked(session, address_key)
    facts = ledger.history(session, subscriber.subject)
    for number, subscription in subscribers.subscriptions(session, subscriber.id).items():
        about = [entry for entry in facts if entry.newsletter_id == number]
        never_confirmed = all(entry.event != Event.CONFIRMED for entry in about)
        if number in asked and number not in waiting and (never_confirmed or subscription.standing == Standing.ASKED):
            _end_request(session, subscriber, subscription, about, now=now)
    if not subscribers.subscriptions(session, subscriber.id):
        _erase(session, facts)
        session.delete(subscriber)
        session.flush()


def _still_asked(session: Session, address_key: str) -> set[int]:
    """What other sign-ups of the same address wait to have confirmed; the last of them ends it."""
    others = select(Signup.newsletters).where(Signup.address_key == address_key, Signup.state == SignupState.ASKED)
    return {number for numbers in session.scalars(others) for number in numbers}


def _end_request(
    session: Session, subscriber: Subscriber, subscription: Subscription, facts: Sequence[LedgerEntry], *, now: datetime
) -> None:
    """Append that it lapsed, erase what the request told, and settle what is left between us."""
    newsletter = session.get_one(Newsletter, subscription.newsletter_id)
    ledger.append(session, subscriber.subject, Event.LAPSED, newsletter=newsletter, evidence={}, trace=None, now=now)
    events = [entry.event for entry in facts]
    confirmed = Event.CONFIRMED in events
    # What was confirmed once keeps its proof, up to and with the withdrawal; only what was asked since is erased.
    since = len(events) - events[::-1].index(Event.CONFIRMED) if confirmed else 0
    _erase(session, [entry for entry in facts[since:] if entry.event == Event.REQUESTED or not confirmed])
    if today := ledger.standing([*events, Event.LAPSED]):
        subscribers.set_standing(session, subscriber.id, newsletter.id, today, now=now)
    else:
        session.delete(subscription)
        session.flush()


def _erase(session: Session, facts: Sequence[LedgerEntry]) -> None:
    """Delete what tells who and how; the facts themselves stay."""
    numbers = [entry.id for entry in facts]
    for kept in (Evidence, TraceRow):
        session.execute(delete(kept).where(kept.entry_id.in_(numbers)))
