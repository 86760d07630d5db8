"""Move what a reader gets to a confirmed new address, and the consents with it."""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter.consent import address_changes, decisions, ledger, subscribers, suppressions
from newsletter.consent.address_changes import AddressChange, AddressChangeState
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger import Entry, Event, LedgerEntry, Trace
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import Standing, Subscriber, Subscription
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter


def move(
    session: Session,
    keyring: Keyring,
    change: AddressChange,
    subscriber: Subscriber,
    *,
    letter: str | None,
    trace: Trace | None,
    now: datetime,
) -> list[int]:
    """Move the subscriptions of a reader to the change's address; return the newsletters.

    The caller has locked the change, the subscriber, and the one who has the new address, if there is one. If nobody
    has it, the subscriber gets it, so that the history stays together. Otherwise that subscriber gets what is missing
    there, and the old subscriptions end: two histories never become one. `letter` is the hash of the letter's text.
    """
    reads = _read_by(session, subscriber.id)
    former = subscriber.address or ""
    other = subscribers.lock_by_key(session, change.address_key) or _take_address(session, keyring, change, subscriber)
    target = other or subscriber
    already = _read_by(session, other.id) if other else []
    new = [number for number in reads if number not in already]
    _record(session, change, subscriber.subject, former, target, new, letter=letter, trace=trace, now=now)
    if other is not None:
        _subscribe(session, subscriber.id, other.id, new, now=now)
        other.name, other.zone = other.name or subscriber.name, other.zone or subscriber.zone
        decisions.withdraw(session, subscriber, newsletters=None, how=EvidenceTerm.MOVED, trace=trace, now=now)
    change.state, change.decided_at = AddressChangeState.CONFIRMED, now
    session.flush()
    return reads


def _read_by(session: Session, subscriber_id: int) -> list[int]:
    """Return the newsletters that a subscriber gets."""
    held = subscribers.subscriptions(session, subscriber_id)
    return sorted(number for number, each in held.items() if each.standing is Standing.SUBSCRIBED)


def _take_address(
    session: Session, keyring: Keyring, change: AddressChange, subscriber: Subscriber
) -> Subscriber | None:
    """Give the subscriber the new address; return the one who has it, if a worker stores that one at this moment."""
    try:
        with session.begin_nested():
            subscriber.address, subscriber.address_key = change.address, change.address_key
            subscriber.fold_key = inboxes.fold(keyring, inboxes.inbox(change.address_key).key)
            session.flush()
    except IntegrityError:  # the worker's transaction has ended, so its row can be read now
        if other := subscribers.lock_by_key(session, change.address_key):
            return other
        raise
    subscriber.suppressed = suppressions.strongest(session, keyring, [change.address_key]).get(change.address_key)
    return None


def _record(
    session: Session,
    change: AddressChange,
    subject: bytes,
    former: str,
    target: Subscriber,
    newsletters: Collection[int],
    *,
    letter: str | None,
    trace: Trace | None,
    now: datetime,
) -> None:
    """Append an entry for each newsletter; it names the wording to which the reader agreed at the former address."""
    if not newsletters:
        return
    wordings = _agreed_wordings(session, subject)
    slugs = session.scalars(select(Newsletter.slug).where(Newsletter.id.in_(newsletters)).order_by(Newsletter.id))
    shown = address_changes.evidence(change, former, newsletters=", ".join(slugs), letter=letter)
    entries = [
        Entry(target.subject, Event.CONFIRMED, each, wordings.get(each), now, shown, trace, secrets.token_bytes(32))
        for each in newsletters
    ]
    ledger.append_all(session, entries)


def _agreed_wordings(session: Session, subject: bytes) -> dict[int, int]:
    """Return the wording of the last confirmation of each newsletter."""
    confirmed = LedgerEntry.subject == subject, LedgerEntry.event == Event.CONFIRMED
    last = select(func.max(LedgerEntry.ordinal)).where(*confirmed).group_by(LedgerEntry.newsletter_id)
    rows = select(LedgerEntry.newsletter_id, LedgerEntry.wording_id).where(*confirmed, LedgerEntry.ordinal.in_(last))
    return {row[0]: row[1] for row in session.execute(rows) if row[0] and row[1]}


def _subscribe(session: Session, former: int, target: int, newsletters: Collection[int], *, now: datetime) -> None:
    """Subscribe the other subscriber, who reads in the language that the newsletters had at the former address."""
    held = subscribers.subscriptions(session, former)
    for number in newsletters:
        subscribers.set_standing(session, target, number, Standing.SUBSCRIBED, now=now)
        chosen = {"language": held[number].language, "paused_until": held[number].paused_until}
        theirs = (Subscription.subscriber_id == target) & (Subscription.newsletter_id == number)
        session.execute(update(Subscription).where(theirs).values(chosen))
