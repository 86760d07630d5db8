"""Changes of a reader's address: asked for by a freshly mailed link, confirmed at the new address.

A change moves the consents, too. The ledger gets an entry `confirmed` for each newsletter that the reader gets, whose
evidence names both addresses: the release before reads it, and it leaves the standing as it is.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, exists, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.addresses import Address
from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm, Stored
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.errors import LinkExpired, Malformed
from newsletter.languages.translatable import translatable
from newsletter.store.database import Base

REPEAT = timedelta(minutes=10)  # within which asking for the same address again changes nothing
PERIOD = timedelta(hours=24)
MAX_IN_PERIOD = 3  # changes that one reader may ask for: each causes a letter to an inbox that may be a stranger's
FIELD = "email"  # of the form, which errors name

UNANSWERED = text("answered_at IS NULL AND state = 'asked'")  # literals, or the partial index would not fit


class AddressChangeState(StrEnum):
    """What became of a change."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    VOID = "void"  # another one was asked for after it, or the new address wants no mail from us


class AddressChange(Base):
    """A new address that a reader asked for."""

    __tablename__ = "address_changes"
    __table_args__ = (
        Index("ix_address_changes_unanswered", "id", sqlite_where=UNANSWERED, postgresql_where=UNANSWERED),
        {"info": {"personal": {"by": "subscriber_id", "on_erasure": "delete", "export": True}}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    address: Mapped[str]  # the new one, as typed
    address_key: Mapped[str]
    fold_key: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[int]  # 63 random bits, as a sign-up's
    state: Mapped[AddressChangeState] = mapped_column(default=AddressChangeState.ASKED)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    decided_at: Mapped[datetime | None] = mapped_column(default=None)
    # When a worker decided whether the new address gets the letter with the link; None: it has not yet.
    answered_at: Mapped[datetime | None] = mapped_column(default=None)

    def is_open(self, *, now: datetime) -> bool:
        """Return whether its link can still confirm it: for 72 hours, unless it is void."""
        return self.state is AddressChangeState.ASKED and now < self.asked_at + LINK_LIFETIME


def ask(
    session: Session, subscriber_id: int, present_key: str, wanted: Address, *, fold_key: str, now: datetime
) -> AddressChange | None:
    """Store a change to the wanted address and void the open ones; None if the same was asked for just before.

    The caller has locked the subscriber, whose address has the key `present_key`; `fold_key` is that of the new
    inbox. A worker decides about the letter, so nothing here depends on what is known about the new address. Raises
    Malformed for the present address, and for a fourth change in 24 hours.
    """
    if wanted.key == present_key:
        raise Malformed(FIELD, translatable("Your letters come to this address already. Enter another one."))
    own = AddressChange.subscriber_id == subscriber_id
    is_asked = own & (AddressChange.state == AddressChangeState.ASKED)
    latest = session.scalar(select(AddressChange).where(is_asked).order_by(AddressChange.id.desc()).limit(1))
    if latest and latest.address_key == wanted.key and now < latest.asked_at + REPEAT:
        return None
    recent = select(func.count()).select_from(AddressChange).where(own, AddressChange.asked_at > now - PERIOD)
    if (session.scalar(recent) or 0) >= MAX_IN_PERIOD:
        raise Malformed(
            FIELD, translatable("You have asked for several changes today. Please try again tomorrow; nothing is lost.")
        )
    session.execute(update(AddressChange).where(is_asked).values(state=AddressChangeState.VOID, decided_at=now))
    change = AddressChange(
        subscriber_id=subscriber_id,
        address=wanted.written,
        address_key=wanted.key,
        fold_key=fold_key,
        nonce=secrets.randbits(63),
        asked_at=now,
    )
    session.add(change)
    session.flush()
    return change


def find(session: Session, ids: Sequence[int], *, lock: bool = False) -> AddressChange:
    """Return the change that a link names by (id, nonce); `lock` holds its row until the transaction ends.

    Raises LinkExpired if the row was deleted, or if its id now belongs to another change.
    """
    number, nonce = ids
    named = select(AddressChange).where(AddressChange.id == number, AddressChange.nonce == nonce)
    if lock:
        named = named.with_for_update().execution_options(populate_existing=True)
    change = session.scalar(named)
    if change is None:
        raise LinkExpired
    return change


def has_moved_since(session: Session, subscriber_id: int, moment: datetime) -> bool:
    """Return whether the reader has confirmed another address after this moment, which is at most some days ago.

    A link that was mailed before is in the inbox that they have left, which may be somebody else's by now.
    """
    moved = exists().where(
        AddressChange.subscriber_id == subscriber_id,
        AddressChange.state == AddressChangeState.CONFIRMED,
        AddressChange.decided_at > moment,
    )
    return bool(session.scalar(select(moved)))


def void_to(session: Session, fold_keys: Collection[str], *, now: datetime) -> None:
    """Void the open changes to an inbox, given by its folds: its owner wants no mail from us."""
    to_inbox = AddressChange.fold_key.in_(fold_keys), AddressChange.state == AddressChangeState.ASKED
    session.execute(update(AddressChange).where(*to_inbox).values(state=AddressChangeState.VOID, decided_at=now))


def evidence(change: AddressChange, former: str, *, newsletters: str, letter: str | None) -> Stored:
    """Return the evidence of the entries that move consents from the former address to the new one."""
    told = {
        EvidenceField.ADDRESS: change.address,
        EvidenceField.FORMER_ADDRESS: former,
        EvidenceField.METHOD: EvidenceTerm.BUTTON_AT_NEW_ADDRESS,
        EvidenceField.NEWSLETTERS: newsletters,
        EvidenceField.CHANGE_ASKED_AT: change.asked_at.isoformat(timespec="microseconds"),
        EvidenceField.LETTER: letter or "",
    }
    return {name: value for name, value in told.items() if value}
