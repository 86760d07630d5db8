"""Retention: what was kept for a time is deleted when the time is over, because the letters promised it."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, subscribers
from newsletter.consent.ledger import Event, Evidence, TraceRow
from newsletter.consent.signups import VALID, Signup, SignupLetter, State
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.newsletters import Newsletter

MOST = 200  # sign-ups in one transaction


def forget_due(session: Session, *, now: datetime) -> int:
    """Forget what has had its time, at most 200 sign-ups at once; returns how many of them there were.

    A sign-up goes after 72 hours. Where nobody confirmed it, the address goes with it, and what is left in the ledger
    names nobody (GDPR Art. 5(1)(e)); the missing evidence is accounted for by an entry `lapsed`.
    """
    session.execute(delete(TraceRow).where(TraceRow.expires_at <= now))
    session.execute(delete(SignupLetter).where(SignupLetter.day < (now - timedelta(days=2)).date()))
    over = select(Signup).where(Signup.received_at <= now - VALID, Signup.state != State.RECEIVED)
    signups = session.scalars(over.order_by(Signup.received_at).limit(MOST).with_for_update(skip_locked=True)).all()
    for signup in signups:
        if signup.state == State.ASKED:
            _lapse(session, signup, now=now)
        session.delete(signup)
    session.flush()
    return len(signups)


def _lapse(session: Session, signup: Signup, *, now: datetime) -> None:
    """Nobody confirmed: end what was asked for, and forget the person unless there is more between us."""
    subscriber = subscribers.by_key(session, signup.address_key)
    if subscriber is None:
        return
    standing = subscribers.subscriptions(session, subscriber.id)
    again = _asked_again(session, signup)
    for number in set(signup.newsletters) - again:
        if number in standing and standing[number].standing == Standing.ASKED:
            _end_request(session, subscriber, standing[number], signup, now=now)
    session.flush()
    if not again and not subscribers.subscriptions(session, subscriber.id):
        session.delete(subscriber)


def _asked_again(session: Session, signup: Signup) -> set[int]:
    """What a newer sign-up of the same address still waits to have confirmed."""
    newer = select(Signup.newsletters).where(
        Signup.address_key == signup.address_key,
        Signup.id != signup.id,
        Signup.state.in_([State.RECEIVED, State.ASKED]),
        Signup.received_at > signup.received_at,
    )
    return {number for numbers in session.scalars(newer) for number in numbers}


def _end_request(
    session: Session, subscriber: Subscriber, subscription: Subscription, signup: Signup, *, now: datetime
) -> None:
    """Append that it lapsed, erase what the request told, and settle what is left between us."""
    number = subscription.newsletter_id
    newsletter = session.get_one(Newsletter, number)
    ledger.append(session, subscriber.subject, Event.LAPSED, newsletter=newsletter, evidence={}, trace=None, now=now)
    about = [entry for entry in ledger.history(session, subscriber.subject) if entry.newsletter_id == number]
    told = [e.id for e in about if e.event == Event.LAPSED or e.at == signup.received_at]
    for kept in (Evidence, TraceRow):
        session.execute(delete(kept).where(kept.entry_id.in_(told)))
    if today := ledger.standing(entry.event for entry in about):
        subscribers.settle(session, subscriber.id, number, today, now=now)
    else:
        session.delete(subscription)
