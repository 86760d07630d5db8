"""Move what a reader gets to a confirmed new address, and the consents with it."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter.consent.decisions import decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Entry, Event, LedgerEntry, Trace
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import (
    address_changes,
    moved_subscriptions,
    reader_choices,
    subscribers,
    suppressions,
)
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter


class Moved(NamedTuple):
    """What a move has done. The numbers are those of newsletters."""

    other: Subscriber | None  # who has the new address, if it is not the reader's own row
    newsletters: list[int]  # all that came to the former address
    new: list[int]  # those that did not come to the new address
    idle: list[int]  # those whose letters would not have come there now: new ones, and paused or suppressed ones


def move(
    session: Session,
    keyring: Keyring,
    change: AddressChange,
    subscriber: Subscriber,
    *,
    letter: str | None,
    trace: Trace | None,
    now: datetime,
) -> Moved:
    """Move the subscriptions of a reader to the change's address.

    The caller has locked the change, the subscriber, and the one who has the new address, if there is one. If nobody
    has it, the subscriber gets it, so that the history stays together. Otherwise that subscriber gets what is missing
    there, and the old subscriptions end: two histories never become one. A newsletter that came to one of the two
    without a pause goes on without one. `letter` is the hash of the letter's text.

    An inbox that bounced before, or complained, has taken this letter, and its owner has pressed the button: it gets
    letters again.
    """
    held = _held_by(session, subscriber.id)
    former = subscriber.address or ""
    other = subscribers.lock_by_key(session, change.address_key) or _take_address(session, keyring, change, subscriber)
    was_suppressed = other is not None and other.suppressed is not None
    suppressions.lift(session, keyring, change.address_key)
    target = other or subscriber
    already = _held_by(session, other.id) if other else {}
    new = [number for number in held if number not in already]
    _record(session, change, subscriber.subject, former, target, new, letter=letter, trace=trace, now=now)
    idle: list[int] = []
    if other is not None:
        idle = [each for each in held if was_suppressed or each in new or _is_paused(already[each], now=now)]
        _subscribe(session, held, other.id, new, now=now)
        _end_pauses(session, held, already, other.id, now=now)
        other.name, other.zone = other.name or subscriber.name, other.zone or subscriber.zone
        decisions.withdraw(session, subscriber, newsletters=None, how=EvidenceTerm.MOVED, trace=trace, now=now)
        moved_subscriptions.record(session, subscriber.id, other.id, list(held), now=now)
    change.state, change.decided_at = AddressChangeState.CONFIRMED, now
    session.flush()
    return Moved(other, list(held), new, idle)


def _held_by(session: Session, subscriber_id: int) -> dict[int, Subscription]:
    """Return the subscriptions of the newsletters that a subscriber gets, by newsletter."""
    held = subscribers.subscriptions(session, subscriber_id)
    return {number: each for number, each in sorted(held.items()) if each.standing is Standing.SUBSCRIBED}


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


def _subscribe(
    session: Session, held: Mapping[int, Subscription], target: int, newsletters: Collection[int], *, now: datetime
) -> None:
    """Subscribe the other subscriber as the reader was at the former address: in that language, and since then."""
    for number in newsletters:
        subscribers.set_standing(session, target, number, Standing.SUBSCRIBED, now=now)
        same = {name: getattr(held[number], name) for name in ("language", "paused_until", "since")}
        session.execute(update(Subscription).where(_of(target, number)).values(same))


def _end_pauses(
    session: Session,
    held: Mapping[int, Subscription],
    already: Mapping[int, Subscription],
    target: int,
    *,
    now: datetime,
) -> None:
    """Let newsletters that came to both addresses come as the address without a pause, or with the shorter one, had it.

    The page of the link says that the letters come there now, and ending a pause needs no consent.
    """
    for number in held.keys() & already.keys():
        paused = [each.paused_until for each in (held[number], already[number]) if _is_paused(each, now=now)]
        until = min(filter(None, paused)) if len(paused) == 2 else None
        session.execute(update(Subscription).where(_of(target, number)).values(paused_until=until))


def _is_paused(subscription: Subscription, *, now: datetime) -> bool:
    return reader_choices.is_paused(subscription.paused_until, now=now)


def _of(subscriber_id: int, newsletter_id: int) -> ColumnElement[bool]:
    return and_(Subscription.subscriber_id == subscriber_id, Subscription.newsletter_id == newsletter_id)
