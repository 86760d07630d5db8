"""Why readers left, if they told it. A reason names nobody."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class LeavingReason(Base):
    """A reason for one withdrawal."""

    __tablename__ = "leaving_reasons"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)  # MAC of the withdrawal: one reason for each
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), index=True)
    reason: Mapped[str] = mapped_column(String(24))
    comment: Mapped[str | None] = mapped_column(String(500), default=None)
    given_at: Mapped[datetime] = mapped_column(index=True)
