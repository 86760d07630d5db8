"""Carry out a change of address that its new inbox confirms: consents, open requests and the notice, all or nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.decisions import address_moves, decisions
from newsletter.consent.evidence_terms import EvidenceTerm
from newsletter.consent.ledger.ledger import Trace
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers import address_changes, subscribers, suppressions
from newsletter.consent.subscribers.address_changes import AddressChange, AddressChangeState
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.errors import LinkExpired
from newsletter.keys import Keyring
from newsletter.mail.delivery import moved_deliveries
from newsletter.mail.mailings import address_letters, preference_links
from newsletter.privacy import retention
from newsletter.templating import Templates


class Reader(NamedTuple):
    """A locked reader who wants to move, and the change."""

    change: AddressChange
    subscriber: Subscriber


def confirm(
    session: Session,
    keyring: Keyring,
    ids: Sequence[int],
    *,
    trace: Trace | None,
    templates: Templates,
    base_url: str,
    now: datetime,
) -> AddressChange:
    """Move the reader and the letters that wait for them to the new address; owe the notice to the former one.

    Returns the change. Confirming again changes nothing. Raises LinkExpired if the change is void or too old, if the
    reader gets no newsletter any more, or if somebody complained or wants no more mail.
    """
    reader = _lock(session, ids)
    change, subscriber = reader
    if change.state is AddressChangeState.CONFIRMED:
        return change
    newsletter = preference_links.sender_of(session, subscriber.id, None)
    may_move = subscriber.suppressed in (None, Reason.BOUNCED)
    may_come = not _is_unwanted(session, keyring, change.address_key)
    if not (change.is_open(now=now) and newsletter and subscriber.address_key and may_move and may_come):
        raise LinkExpired
    former, was_reachable = subscriber.address or "", subscriber.suppressed is None
    retention.forget_of(session, subscriber.address_key, now=now)
    letter = address_letters.text_of(session, change.id)
    moved = address_moves.move(session, keyring, change, subscriber, letter=letter, trace=trace, now=now)
    if moved.other:
        moved_deliveries.withhold_waiting(session, moved.other.id, moved.idle, now=now)
        moved_deliveries.hand_over(session, subscriber.id, moved.other.id, moved.newsletters, new=moved.new)
    if was_reachable:
        address_letters.owe_notice(
            session, change, subscriber, *newsletter, former=former, templates=templates, base_url=base_url, now=now
        )
    return change


def _is_unwanted(session: Session, keyring: Keyring, address_key: str) -> bool:
    """Return whether the owner of an inbox wants no mail; where a key is lost, only the subscriber's mark says it."""
    known = subscribers.by_key(session, address_key)
    is_marked = known is not None and known.suppressed == Reason.NEVER
    return is_marked or bool(suppressions.never(session, keyring, [address_key]))


def refuse(session: Session, keyring: Keyring, ids: Sequence[int], *, trace: Trace | None, now: datetime) -> None:
    """Suppress the new address for good, because its owner says so; the reader's own address stays as it is.

    Raises LinkExpired if the change was deleted. Repeating it is harmless.
    """
    change = address_changes.find(session, ids)
    for subscriber in suppressions.add(session, keyring, change.address_key, Reason.NEVER, now=now):
        decisions.end_for_never(session, subscriber, how=EvidenceTerm.NEVER_BY_ADDRESS_LETTER, trace=trace, now=now)
    session.refresh(change)


def _lock(session: Session, ids: Sequence[int]) -> Reader:
    """Lock sign-ups, people and the change, in the order of every transaction (DECISIONS.md, 40)."""
    change = address_changes.find(session, ids)
    present = select(Subscriber.address_key).where(Subscriber.id == change.subscriber_id)
    are_locked = False
    while not are_locked:
        # A worker may answer a sign-up while this waits for the people. Its owner locks it before the person, so this
        # lets go of everything and begins again.
        with session.begin_nested() as savepoint:
            keys = {change.address_key, session.scalars(present).one() or ""}
            known = select(Signup.id).where(Signup.address_key.in_(keys), Signup.state.in_(retention.REQUESTED))
            locked = set(session.scalars(known.order_by(Signup.id).with_for_update()))
            subscribers.lock_all(session, keys)
            are_locked = locked.issuperset(session.scalars(known))
            if not are_locked:
                savepoint.rollback()
    change = address_changes.find(session, ids, lock=True)
    subscriber = subscribers.lock_by_id(session, change.subscriber_id)
    if subscriber is None:
        raise LinkExpired
    return Reader(change, subscriber)
