"""Known keys: every key that was ever in the ring, so that the loss or exchange of one is noticed at the start.

Without it the first to notice would be a reader whose link no longer works, or nobody: an address that was never to be
written to again is recognised only under the key that it was remembered with.
"""

from datetime import datetime

from sqlalchemy import LargeBinary, String, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.seals import Seal
from newsletter.consent.suppressions import Suppression
from newsletter.errors import Misconfigured
from newsletter.keys import Keyring
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.store.database import Base, insert_once

NAMING = (Delivery, Suppression, Seal)  # whose rows name the key that they were made with


class KnownKey(Base):
    """A key by its id, and its MAC over that: no other key makes the same one, and it tells nothing about the key."""

    __tablename__ = "known_keys"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    since: Mapped[datetime]


def check(session: Session, keyring: Keyring, *, now: datetime) -> None:
    """Note the keys of the ring. To be called at every start, before anything is made with them.

    Raises Misconfigured where a key is not the one that it was, and where one is missing that rows still name. A
    missing key that nothing names any more is forgotten.
    """
    macs = {name: keyring.mac("known key", name.encode(), key=name) for name in keyring}
    for name, mac in macs.items():
        insert_once(session, KnownKey, id=name, mac=mac, since=now)
    known = session.scalars(select(KnownKey).order_by(KnownKey.id)).all()
    gone = [key for key in known if key.id not in keyring]
    wrong = [f"{key.id} is another key than before" for key in known if macs.get(key.id, key.mac) != key.mac]
    wrong += [f"{key.id} is missing, and rows name it" for key in gone if _is_named(session, key.id)]
    if wrong:
        raise Misconfigured(
            f"The secret keys cannot be used: {'; '.join(wrong)}. Put back what was in NEWSLETTER_SECRET_KEYS, or the "
            "file secret_key in the data folder; without it no link in a sent letter works, and nobody who asked "
            "never to be written to would be recognised."
        )
    for key in gone:
        session.delete(key)


def _is_named(session: Session, name: str) -> bool:
    return any(session.scalar(select(exists().where(row.key_id == name))) for row in NAMING)
