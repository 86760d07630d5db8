"""Suppressions: addresses that must not be written to, remembered as fingerprints and used for nothing else."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses
from newsletter.consent.subscribers import Subscriber
from newsletter.database import Base
from newsletter.keys import Keyring

EVERYTHING = "*"  # the scope of a suppression that is not about one newsletter


class Reason(StrEnum):
    """Why an address is left alone. Nobody but the person can undo one of these."""

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
    mac: Mapped[str] = mapped_column(String(64), index=True)
    scope: Mapped[str] = mapped_column(String(40))
    reason: Mapped[Reason]
    since: Mapped[datetime]


def add(
    session: Session, keyring: Keyring, address_key: str, reason: Reason, *, scope: str = EVERYTHING, now: datetime
) -> None:
    """Leave this address alone from now on; doing it twice is doing it once."""
    if reason not in reasons(session, keyring, address_key):
        mac = addresses.fingerprint(keyring, address_key)
        session.add(Suppression(key_id=keyring.newest, mac=mac, scope=scope, reason=reason, since=now))
    subscriber = session.scalar(select(Subscriber).where(Subscriber.address_key == address_key))
    if subscriber and scope == EVERYTHING:
        subscriber.suppressed = reason
    session.flush()


def reasons(session: Session, keyring: Keyring, address_key: str) -> set[Reason]:
    """Why this address is left alone everywhere, under whichever key it was remembered."""
    macs = [addresses.fingerprint(keyring, address_key, key=key) for key in keyring]
    found = select(Suppression.reason).where(Suppression.mac.in_(macs), Suppression.scope == EVERYTHING)
    return set(session.scalars(found))
