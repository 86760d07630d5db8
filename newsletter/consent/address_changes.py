"""Changes of a reader's address: asked for by a freshly mailed link, confirmed at the new address."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class AddressChangeState(StrEnum):
    """What became of a change."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    VOID = "void"  # another one was asked for after it, or the address belongs to somebody else by now


class AddressChange(Base):
    """A new address that a reader asked for."""

    __tablename__ = "address_changes"
    __table_args__ = {"info": {"personal": {"by": "subscriber_id", "on_erasure": "delete", "export": True}}}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    address: Mapped[str]  # the new one, as typed
    address_key: Mapped[str]
    fold_key: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[int]  # 63 random bits, as a sign-up's
    state: Mapped[AddressChangeState] = mapped_column(default=AddressChangeState.ASKED)
    asked_at: Mapped[datetime] = mapped_column(index=True)
    decided_at: Mapped[datetime | None] = mapped_column(default=None)
