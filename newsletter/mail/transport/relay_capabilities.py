"""What the relays can take, stored by the workers that connect to them and read by the sign-up form."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class RelayCapability(Base):
    """What one relay offered in its last EHLO reply (SMTPUTF8: RFC 6531 section 3.2)."""

    __tablename__ = "relay_capabilities"

    place: Mapped[str] = mapped_column(String(255), primary_key=True)
    takes_utf8: Mapped[bool]
    seen_at: Mapped[datetime]
