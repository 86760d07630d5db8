"""Delete data whose retention period is over, as the confirmation letters promise."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger, subscribers
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, TraceRow
from newsletter.consent.signups import LINK_LIFETIME, Signup, SignupLetter, SignupState, expired
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.newsletters import Newsletter

BATCH_SIZE = 200  # sign-ups in one transaction
LINKS_AFTER_LEAVING = timedelta(days=30)  # how long the links in a confirmation letter work after the reader has left
RECHECK = timedelta(hours=1)  # of a reader with an open request, which lapses within days


def forget_due(session: Session, *, now: datetime) -> int:
    """Delete what is due; return how many sign-ups were checked for that, at most BATCH_SIZE.

    An unconfirmed sign-up is deleted after 72 hours, and the address with it. The ledger then holds no personal data
    about it (GDPR Art. 5(1)(e)), and an entry `lapsed` accounts for the missing evidence. A confirmed sign-up is cut
    down to what its links need, and deleted 30 days after the subscriber has left. `forget_at` says when to check a
    sign-up next, so that each call reads only what is due instead of every reader.
    """
    session.execute(delete(TraceRow).where(TraceRow.expires_at <= now))
    session.execute(delete(SignupLetter).where(SignupLetter.day < (now - timedelta(days=2)).date()))
    due = select(Signup).where(Signup.forget_at <= now).order_by(Signup.forget_at).limit(BATCH_SIZE)
    # All workers lock people in the same order, so that two of them cannot deadlock.
    checked = sorted(session.scalars(due.with_for_update(skip_locked=True)), key=lambda signup: signup.address_key)
    for signup in checked:
        if not expired(signup, now=now):
            signup.forget_at = signup.received_at + LINK_LIFETIME  # received by a release without this column
        elif until := _needed_until(session, signup, now=now):
            signup.forget_at, signup.evidence = until, {}  # the ledger has the evidence
        else:
            session.delete(signup)
            _end_requests(session, signup.address_key, signup.newsletters, now=now)
    session.flush()
    return len(checked)


def _needed_until(session: Session, signup: Signup, *, now: datetime) -> datetime | None:
    """Return until when, at least, a sign-up is needed; None if it is not needed.

    A confirmed sign-up is needed while its person reads a newsletter, and for LINKS_AFTER_LEAVING afterwards. Its links
    find the person only by this row: to say "confirmed before", or to record that they want no more mail.
    """
    if signup.state != SignupState.CONFIRMED:
        return None
    reader = subscribers.lock_by_key(session, signup.address_key)
    if reader is None:
        return None
    subscriptions = subscribers.subscriptions(session, reader.id).values()
    return max((until for each in subscriptions if (until := _links_end(each, now)) > now), default=None)


def _links_end(subscription: Subscription, now: datetime) -> datetime:
    """Return the earliest time at which a subscription no longer needs the links. A reader may leave right now."""
    match subscription.standing:
        case Standing.SUBSCRIBED:
            return now + LINKS_AFTER_LEAVING
        case Standing.ASKED:
            return min(now + RECHECK, subscription.since + LINKS_AFTER_LEAVING)
        case Standing.LEFT:
            return subscription.since + LINKS_AFTER_LEAVING


def _end_requests(session: Session, address_key: str, asked: Collection[int], *, now: datetime) -> None:
    """End the unconfirmed requests of a sign-up, and delete the person if no subscription is left."""
    subscriber = subscribers.lock_by_key(session, address_key)
    if subscriber is None:
        return
    still_asked = _asked_elsewhere(session, address_key)
    entries = ledger.history(session, subscriber.subject)
    for number, subscription in subscribers.subscriptions(session, subscriber.id).items():
        about = [entry for entry in entries if entry.newsletter_id == number]
        never_confirmed = all(entry.event != Event.CONFIRMED for entry in about)
        is_unconfirmed = never_confirmed or subscription.standing == Standing.ASKED
        if number in asked and number not in still_asked and is_unconfirmed:
            _end_request(session, subscriber, subscription, about, now=now)
    if not subscribers.subscriptions(session, subscriber.id):
        _erase_evidence(session, entries)
        session.delete(subscriber)
        session.flush()


def _asked_elsewhere(session: Session, address_key: str) -> set[int]:
    """Return the newsletters that other sign-ups of the address still ask about; the last of them ends the request."""
    others = select(Signup.newsletters).where(Signup.address_key == address_key, Signup.state == SignupState.ASKED)
    return {number for numbers in session.scalars(others) for number in numbers}


def _end_request(
    session: Session,
    subscriber: Subscriber,
    subscription: Subscription,
    entries: Sequence[LedgerEntry],
    *,
    now: datetime,
) -> None:
    """Append a `lapsed` entry, erase the evidence of the request, and bring the subscription up to date."""
    newsletter = session.get_one(Newsletter, subscription.newsletter_id)
    ledger.append(session, subscriber.subject, Event.LAPSED, newsletter=newsletter, evidence={}, trace=None, now=now)
    events = [entry.event for entry in entries]
    confirmed = Event.CONFIRMED in events
    # A confirmed subscription keeps its evidence, including that of the withdrawal; only later requests are erased.
    since = len(events) - events[::-1].index(Event.CONFIRMED) if confirmed else 0
    _erase_evidence(session, [entry for entry in entries[since:] if entry.event == Event.REQUESTED or not confirmed])
    if standing := ledger.standing([*events, Event.LAPSED]):
        subscribers.set_standing(session, subscriber.id, newsletter.id, standing, now=now)
    else:
        session.delete(subscription)
        session.flush()


def _erase_evidence(session: Session, entries: Sequence[LedgerEntry]) -> None:
    """Delete the evidence and traces of entries; the entries themselves stay."""
    ids = [entry.id for entry in entries]
    for table in (Evidence, TraceRow):
        session.execute(delete(table).where(table.entry_id.in_(ids)))
