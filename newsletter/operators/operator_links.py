"""Links that are mailed to operators: an invitation to the desk, and a way back after a lost password.

The row knows nothing of the token: `links.Links` signs the row's id. A link works once, for 24 hours, and a newer one
of the same purpose replaces it.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base

LIFETIME = timedelta(hours=24)


class LinkPurpose(StrEnum):
    """What an operator's link allows."""

    INVITATION = "invitation"
    RESET = "reset"


class OperatorLink(Base):
    """A link that was made for an operator."""

    __tablename__ = "operator_links"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[LinkPurpose]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)  # or replaced by a newer one

    def is_open(self, *, now: datetime) -> bool:
        """Whether it can still be used."""
        return self.used_at is None and now < self.expires_at
