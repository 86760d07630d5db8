"""Retention: what was kept for a time is deleted when the time is over, because the letters promised it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, and_, cast, delete, or_, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, subscribers
from newsletter.consent.ledger import Entry, Event, Evidence, TraceRow
from newsletter.consent.signups import VALID, Signup, SignupLetter, State
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.newsletters import Newsletter

MOST = 200  # sign-ups in one transaction
AFTERWARDS = timedelta(days=30)  # how long the links of the letter that was confirmed still answer who has left


def forget_due(session: Session, *, now: datetime) -> int:
    """Forget what has had its time, at most 200 sign-ups at once; returns how many of them there were.

    A sign-up that nobody confirmed goes after 72 hours and the address with it: what is left in the ledger names nobody
    (GDPR Art. 5(1)(e)), and the missing evidence is accounted for by an entry `lapsed`. One that was confirmed shrinks
    to what its links need, and goes 30 days after the subscriber has left.
    """
    session.execute(delete(TraceRow).where(TraceRow.expires_at <= now))
    session.execute(delete(SignupLetter).where(SignupLetter.day < (now - timedelta(days=2)).date()))
    needed = _needed(now)
    too_much = or_(~needed, cast(Signup.evidence, String) != "{}")
    over = select(Signup, needed).where(Signup.received_at <= now - VALID, too_much).order_by(Signup.received_at)
    # One person after the other, in one order: two workers that forget at once never wait for each other in a circle.
    found = session.execute(over.limit(MOST).with_for_update(skip_locked=True))
    signups = sorted(found, key=lambda each: each[0].address_key)
    for signup, still_needed in signups:
        if still_needed:
            signup.evidence = {}  # the ledger has it
        else:
            session.delete(signup)
            _let_go(session, signup.address_key, signup.newsletters, now=now)
    session.flush()
    return len(signups)


def _needed(now: datetime) -> ColumnElement[bool]:
    """Whether a sign-up was confirmed by somebody who reads a newsletter, or did until lately.

    Its row is all that its links can find them by: to say "confirmed before", or never to write to them again.
    """
    theirs = select(Subscription.subscriber_id).join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    lately = or_(Subscription.standing == Standing.SUBSCRIBED, Subscription.since > now - AFTERWARDS)
    reader = theirs.where(Subscriber.address_key == Signup.address_key, lately).exists()
    return and_(Signup.state == State.CONFIRMED, reader)


def _let_go(session: Session, address_key: str, asked: Collection[int], *, now: datetime) -> None:
    """End what nobody confirmed, and forget the person unless there is more between us."""
    subscriber = subscribers.by_key(session, address_key)
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
    others = select(Signup.newsletters).where(Signup.address_key == address_key, Signup.state == State.ASKED)
    return {number for numbers in session.scalars(others) for number in numbers}


def _end_request(
    session: Session, subscriber: Subscriber, subscription: Subscription, facts: Sequence[Entry], *, now: datetime
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
        subscribers.settle(session, subscriber.id, newsletter.id, today, now=now)
    else:
        session.delete(subscription)
        session.flush()


def _erase(session: Session, facts: Sequence[Entry]) -> None:
    """Delete what tells who and how; the facts themselves stay."""
    numbers = [entry.id for entry in facts]
    for kept in (Evidence, TraceRow):
        session.execute(delete(kept).where(kept.entry_id.in_(numbers)))
