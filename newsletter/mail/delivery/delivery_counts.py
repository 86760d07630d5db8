"""The deliveries of each issue by status, counted by the workers, so that no page counts a million rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class DeliveryProgress(Base):
    """What was last counted of a letter: a number for each status; they add up to its audience."""

    __tablename__ = "delivery_counts"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    counts: Mapped[dict[str, Any]]  # by DeliveryStatus
    counted_at: Mapped[datetime]
