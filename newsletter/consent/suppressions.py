"""Suppressions: addresses that must not be written to, remembered as fingerprints and used for nothing else."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses
from newsletter.consent import subscribers
from newsletter.keys import Keyring
from newsletter.store.database import Base, insert_once

EVERYTHING = "*"  # the scope of a suppression that is not about one newsletter


class Reason(StrEnum):
    """Why an address is left alone, the weakest reason first. Nobody but the person can undo any but a bounce."""

    WITHDRAWN = "withdrawn"
    ERASED = "erased"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    NEVER = "never"


class Suppression(Base):
    """One address's MAC under a named key: without that key it cannot be told whose it is."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("mac", "scope", "reason"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    key_id: Mapped[str] = mapped_column(String(8))
    mac: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(40))
    reason: Mapped[Reason]
    since: Mapped[datetime]


def add(
    session: Session, keyring: Keyring, address_key: str, reason: Reason, *, scope: str = EVERYTHING, now: datetime
) -> None:
    """Leave this address alone from now on; doing it twice is doing it once."""
    if reason not in reasons(session, keyring, address_key, scope=scope):
        mac = addresses.fingerprint(keyring, address_key)
        insert_once(session, Suppression, key_id=keyring.newest, mac=mac, scope=scope, reason=reason, since=now)
    if scope == EVERYTHING and (subscriber := subscribers.by_key(session, address_key)):
        subscriber.suppressed = max(reasons(session, keyring, address_key), key=list(Reason).index)
        session.flush()


def reasons(session: Session, keyring: Keyring, address_key: str, *, scope: str = EVERYTHING) -> set[Reason]:
    """Why this address is left alone in a scope, under whichever key of the ring it was remembered."""
    macs = [addresses.fingerprint(keyring, address_key, key=key) for key in keyring]
    found = select(Suppression.reason).where(Suppression.mac.in_(macs), Suppression.scope == scope)
    return set(session.scalars(found))
