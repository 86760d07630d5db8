"""Suppressions: addresses that must not be written to, stored as keyed hashes and used for nothing else."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import addresses
from newsletter.consent import subscribers
from newsletter.keys import Keyring
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
    """The MAC of one address under a named key; without that key nobody can tell whose address it is."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("mac", "scope", "reason"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    key_id: Mapped[str] = mapped_column(String(8))
    mac: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(40))
    reason: Mapped[Reason]
    since: Mapped[datetime]
    letter_allowed_at: Mapped[datetime | None] = mapped_column(default=None)  # an operator allowed one letter


def add(
    session: Session, keyring: Keyring, address_key: str, reason: Reason, *, scope: str = ALL_NEWSLETTERS, now: datetime
) -> None:
    """Suppress an address from now on. Repeating it is harmless."""
    if reason not in reasons(session, keyring, address_key, scope=scope):
        mac = addresses.fingerprint(keyring, address_key)
        insert_once(session, Suppression, key_id=keyring.newest, mac=mac, scope=scope, reason=reason, since=now)
    if scope == ALL_NEWSLETTERS and (subscriber := subscribers.lock_by_key(session, address_key)):
        subscriber.suppressed = max(reasons(session, keyring, address_key), key=list(Reason).index)
        session.flush()


def lift(session: Session, keyring: Keyring, address_key: str) -> None:
    """Stub."""
    raise NotImplementedError


def reasons(session: Session, keyring: Keyring, address_key: str, *, scope: str = ALL_NEWSLETTERS) -> set[Reason]:
    """Return the reasons why an address is suppressed in a scope, under any key of the keyring."""
    macs = [addresses.fingerprint(keyring, address_key, key=key) for key in keyring]
    stored = select(Suppression.reason).where(Suppression.mac.in_(macs), Suppression.scope == scope)
    return set(session.scalars(stored))
