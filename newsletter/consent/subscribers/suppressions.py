"""Suppressions: addresses and inboxes that must not be written to, stored as keyed hashes and used for nothing else."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, String, UniqueConstraint, and_, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses
from newsletter.consent.limits import inboxes, tickets
from newsletter.consent.subscribers import address_changes, subscribers
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.keys import MAX_ID_CHARACTERS, Keyring
from newsletter.store.database import Base, insert_once

ALL_NEWSLETTERS = "*"  # the scope of a suppression that is not about one newsletter


class Reason(StrEnum):
    """Why an address is suppressed, the weakest reason first. Only the person can undo any reason but a bounce."""

    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    NEVER = "never"


class Suppression(Base):
    """The MAC of an address, or of an inbox, under a named key; without that key nobody can tell whose it is.

    "Never write to me" is stored as both: the inbox's MAC covers each of its spellings, and the release before reads
    only the address's.
    """

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("mac", "scope", "reason"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    key_id: Mapped[str] = mapped_column(String(MAX_ID_CHARACTERS))
    mac: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(40))
    reason: Mapped[Reason]
    since: Mapped[datetime]
    letter_allowed_at: Mapped[datetime | None] = mapped_column(default=None)  # an operator allowed one letter


def add(
    session: Session, keyring: Keyring, address_key: str, reason: Reason, *, scope: str = ALL_NEWSLETTERS, now: datetime
) -> list[Subscriber]:
    """Suppress an address from now on, for NEVER with every spelling of its inbox. Repeating it is harmless.

    Returns the subscribers whose mark this has made stronger, locked until the transaction ends.
    """
    if reason is Reason.NEVER and scope == ALL_NEWSLETTERS:
        return _add_never(session, keyring, address_key, now=now)
    _store(session, keyring, _address_macs(keyring, address_key), reason, scope=scope, now=now)
    subscriber = subscribers.lock_by_key(session, address_key) if scope == ALL_NEWSLETTERS else None
    return _mark(session, keyring, [subscriber] if subscriber else [])


def _add_never(session: Session, keyring: Keyring, address_key: str, *, now: datetime) -> list[Subscriber]:
    """Suppress an inbox for good; a letter that an operator has allowed to it is allowed no more.

    Open changes of address to the inbox are void. It takes the inbox's tickets: a transaction that has read the
    suppressions before can then owe no letter to another spelling.
    """
    folds = inboxes.folds(keyring, address_key)
    subscribers.lock_inbox(session, address_key, folds)  # people before tickets, as in every transaction
    address_changes.void_to(session, folds, now=now)  # before tickets, as whoever asks for a change
    tickets.take_all(session, folds[0], occasion=Reason.NEVER, now=now)
    address_changes.void_to(session, folds, now=now)  # of one whose transaction held a ticket
    use_allowance(session, keyring, [address_key])
    for macs in (_address_macs(keyring, address_key), folds):
        _store(session, keyring, macs, Reason.NEVER, scope=ALL_NEWSLETTERS, now=now)
    return _mark(session, keyring, subscribers.lock_inbox(session, address_key, folds))


def reasons(session: Session, keyring: Keyring, address_key: str, *, scope: str = ALL_NEWSLETTERS) -> set[Reason]:
    """Return the reasons why an address is suppressed in a scope, under any key of the keyring."""
    macs = _macs(keyring, [address_key])
    stored = select(Suppression.reason).where(Suppression.mac.in_(macs), Suppression.scope == scope)
    return set(session.scalars(stored))


def strongest(session: Session, keyring: Keyring, address_keys: Collection[str]) -> dict[str, Reason]:
    """Return the strongest reason why each of these addresses is suppressed; those that are not are left out."""
    return read(session, keyring, address_keys).strongest


def never(session: Session, keyring: Keyring, address_keys: Collection[str]) -> dict[str, bool]:
    """Return those of the addresses that must never be written to, each with whether one letter is allowed to it."""
    return read(session, keyring, address_keys).never


class Suppressed(NamedTuple):
    """What is stored about some addresses, by `Address.key`; one that is not suppressed is left out."""

    strongest: dict[str, Reason]
    never: dict[str, bool]  # those never to write to, each with whether an operator allowed one letter


def read(session: Session, keyring: Keyring, address_keys: Collection[str]) -> Suppressed:
    """Return how these addresses are suppressed, with one statement."""
    macs, found = _macs(keyring, address_keys), Suppressed({}, {})
    stored = select(Suppression.mac, Suppression.reason, Suppression.letter_allowed_at)
    stored = stored.where(Suppression.mac.in_(macs), Suppression.scope == ALL_NEWSLETTERS)
    for mac, reason, allowed_at in session.execute(stored):
        for address in macs[mac]:
            found.strongest[address] = max(reason, found.strongest.get(address, reason), key=rank)
            if reason is Reason.NEVER:
                found.never[address] = found.never.get(address, True) and allowed_at is not None
    return found


def allow_letter(session: Session, keyring: Keyring, address_key: str, *, now: datetime) -> list[int]:
    """Allow one confirmation letter to an address that must never be written to; return the suppressions' ids.

    If the address may be written to, nothing changes, and there are none.
    """
    stored = select(Suppression.id).where(_is_never(_macs(keyring, [address_key])))
    if session.scalar(stored.limit(1)) is None:
        return []
    # Tickets before suppressions, as whoever asks never to be written to.
    tickets.release(session, {fold: [Reason.NEVER] for fold in inboxes.folds(keyring, address_key)})
    allowed = update(Suppression).where(Suppression.id.in_(stored)).values(letter_allowed_at=now)
    return sorted(session.scalars(allowed.returning(Suppression.id)))


def use_allowance(session: Session, keyring: Keyring, address_keys: Collection[str]) -> None:
    """Use up the letter that an operator allowed to each of these addresses."""
    allowed = _is_never(_macs(keyring, address_keys)), Suppression.letter_allowed_at.is_not(None)
    session.execute(update(Suppression).where(*allowed).values(letter_allowed_at=None))


def lift(session: Session, keyring: Keyring, address_key: str) -> None:
    """Lift every reason but NEVER from an address: its owner has pressed the button of a letter that came there.

    So the inbox takes letters again, and its owner wants them. The caller has locked the subscriber, if there is one.
    """
    lesser = Suppression.scope == ALL_NEWSLETTERS, Suppression.reason != Reason.NEVER
    macs = _address_macs(keyring, address_key)
    session.execute(delete(Suppression).where(Suppression.mac.in_(macs), *lesser))
    marked = Subscriber.address_key == address_key, Subscriber.suppressed != Reason.NEVER
    session.execute(update(Subscriber).where(*marked).values(suppressed=None))


def lift_never(session: Session, keyring: Keyring, address_key: str) -> None:
    """Lift "never write to me" from an address and its inbox: the owner has pressed the button of the allowed letter.

    Another spelling that has said it in its own name stays suppressed.
    """
    session.execute(delete(Suppression).where(_is_never(_macs(keyring, [address_key]))))
    folds = inboxes.folds(keyring, address_key)
    # Another spelling whose owner decides at this moment is left to that decision.
    people = subscribers.lock_inbox(session, address_key, folds, skip_locked=True)
    reason_of = strongest(session, keyring, [each.address_key for each in people if each.address_key])
    for each in people:
        if each.suppressed == Reason.NEVER:
            each.suppressed = reason_of.get(each.address_key or "")
    session.flush()


def rank(reason: Reason) -> int:
    """Return how strong a reason is."""
    return list(Reason).index(reason)


def _store(session: Session, keyring: Keyring, macs: list[str], reason: Reason, *, scope: str, now: datetime) -> None:
    """Store the first of these MACs, which the newest key made, unless one of them is stored already."""
    row = Suppression
    stored = select(row.id).where(row.mac.in_(macs), row.scope == scope, row.reason == reason)
    if session.scalar(stored.limit(1)) is None:
        insert_once(session, row, key_id=keyring.newest, mac=macs[0], scope=scope, reason=reason, since=now)


def _mark(session: Session, keyring: Keyring, people: Collection[Subscriber]) -> list[Subscriber]:
    """Copy each subscriber's strongest reason to its row where that is weaker; return those that are marked anew.

    A stronger mark stays: where a key is lost, it is the only record left.
    """
    reason_of = strongest(session, keyring, [each.address_key for each in people if each.address_key])
    weaker = []
    for each in people:
        reason = reason_of.get(each.address_key or "")
        if reason and (each.suppressed is None or rank(reason) > rank(Reason(each.suppressed))):
            each.suppressed = reason
            weaker.append(each)
    session.flush()
    return weaker


def _is_never(macs: Collection[str]) -> ColumnElement[bool]:
    row = Suppression
    return and_(row.mac.in_(macs), row.scope == ALL_NEWSLETTERS, row.reason == Reason.NEVER)


def _macs(keyring: Keyring, address_keys: Collection[str]) -> dict[str, list[str]]:
    """Return each MAC under which one of these addresses may be suppressed, with the addresses that it covers."""
    covered: dict[str, list[str]] = {}
    for address_key in address_keys:
        for mac in (*_address_macs(keyring, address_key), *inboxes.folds(keyring, address_key)):
            covered.setdefault(mac, []).append(address_key)
    return covered


def _address_macs(keyring: Keyring, address_key: str) -> list[str]:
    return [addresses.fingerprint(keyring, address_key, key=key) for key in keyring]
