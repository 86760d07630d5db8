"""Remember every key that was ever used, so that a process refuses to start if one was lost or replaced.

Otherwise a reader whose link fails would be the first to notice, or nobody would: a suppressed address is recognized
only with the key of its fingerprint.
"""

from datetime import datetime

from sqlalchemy import LargeBinary, String, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.decisions import older_subscribers
from newsletter.consent.ledger.seals import Seal
from newsletter.consent.subscribers.suppressions import Suppression
from newsletter.errors import Misconfigured
from newsletter.keys import MAX_ID_CHARACTERS, Keyring
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.operators import totp
from newsletter.store.database import Base, insert_once

TABLES_NAMING_KEYS = (Delivery, Suppression, Seal)  # their rows name the key that they were made with


class KnownKey(Base):
    """A key's id, and the key's MAC of this id: it identifies the key and reveals nothing about it."""

    __tablename__ = "known_keys"

    id: Mapped[str] = mapped_column(String(MAX_ID_CHARACTERS), primary_key=True)
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    since: Mapped[datetime]


def check(session: Session, keyring: Keyring, *, now: datetime) -> None:
    """Register the keyring's keys. Call it at every start, before any key is used.

    Raises Misconfigured if a key differs from the registered one, or if a key is missing that rows still name. A
    missing key that no row names is removed from the registry.
    """
    macs = {name: keyring.mac("known key", name.encode(), key=name) for name in keyring}
    for name, mac in macs.items():
        insert_once(session, KnownKey, id=name, mac=mac, since=now)
    missing = [key for key in session.scalars(select(KnownKey)) if key.id not in keyring]
    if wrong := problems(session, keyring):
        raise Misconfigured(
            f"The secret keys cannot be used: {'; '.join(wrong)}. Restore the former NEWSLETTER_SECRET_KEYS, or the "
            "file secret_key in the data folder. Without them, links in sent letters stop working, and addresses that "
            "must never be written to are not recognized."
        )
    for key in missing:
        session.delete(key)
    if missing:
        older_subscribers.forget_keys(session, keyring)


def problems(session: Session, keyring: Keyring | None) -> list[str]:
    """Return which keys differ from the registered ones, or are missing although rows name them. It only reads.

    Without a keyring (None) every registered key is missing.
    """
    known = session.scalars(select(KnownKey).order_by(KnownKey.id)).all()
    if keyring is None:
        return [f"{key.id} is missing" for key in known]
    other = [
        f"{key.id} is another key than before" for key in known if key.id in keyring and key.mac != _mac(keyring, key)
    ]
    lost = [key for key in known if key.id not in keyring]
    return other + [f"{key.id} is missing but still in use" for key in lost if _is_named(session, key.id)]


def _mac(keyring: Keyring, key: KnownKey) -> bytes:
    return keyring.mac("known key", key.id.encode(), key=key.id)


def _is_named(session: Session, name: str) -> bool:
    by_rows = any(session.scalar(select(exists().where(row.key_id == name))) for row in TABLES_NAMING_KEYS)
    return by_rows or totp.names_key(session, name)
