"""Read what the database holds about the people of a set, with one statement for each kind of row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from newsletter.consent.limits import inboxes, tickets
from newsletter.consent.signups.signups import ASKED, Signup, letter_owed_at
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.keys import Keyring
from newsletter.mail.mailings.confirmations.rules import Known


def read(
    session: Session, keyring: Keyring, signups: Sequence[Row[Any]], newsletters: frozenset[int], *, now: datetime
) -> Known:
    """Lock the known subscribers of a set, in the order of their addresses, and then read what is known about them."""
    addresses = {signup.address_key for signup in signups}
    known = subscribers.lock_all(session, addresses)
    standings = subscribers.standings(session, {subscriber.id for subscriber in known.values()})
    inbox_of = {address: inboxes.inbox(address) for address in addresses}
    asked = {
        (address, newsletter): asked_at
        for (address, newsletter), asked_at in _last_asked(session, addresses).items()
        if address in known and standings.get((known[address].id, newsletter)) == Standing.ASKED
    }
    suppressed = suppressions.read(session, keyring, addresses)
    return Known(
        now=now,
        subscribers=known,
        standings=standings,
        asked=asked,
        inboxes=inbox_of,
        tickets=_tickets(session, keyring, {inbox.key for inbox in inbox_of.values()}, now=now),
        never=suppressed.never,
        suppressed=suppressed.strongest,
        newsletters=newsletters,
    )


def _last_asked(session: Session, addresses: set[str]) -> dict[tuple[str, int], datetime]:
    """Return when a letter whose link still works last asked these addresses about each newsletter."""
    rows = select(Signup.address_key, Signup.newsletters, letter_owed_at()).where(ASKED)
    letters = session.execute(rows.where(Signup.address_key.in_(addresses)).order_by(letter_owed_at()))
    return {(address, number): asked_at for address, numbers, asked_at in letters for number in numbers}


def _tickets(session: Session, keyring: Keyring, inbox_keys: set[str], *, now: datetime) -> dict[str, set[int]]:
    """Return the numbers of the tickets taken, by inbox, under whichever key of the keyring they were taken."""
    folds = {inboxes.fold(keyring, inbox, key=key): inbox for key in keyring for inbox in inbox_keys}
    numbers: dict[str, set[int]] = {inbox: set() for inbox in inbox_keys}
    for fold_key, taken in tickets.taken(session, list(folds), now=now).items():
        numbers[folds[fold_key]] |= taken
    return numbers
