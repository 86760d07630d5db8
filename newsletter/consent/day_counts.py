"""The readers of each newsletter by day, counted by the workers, so that no page counts a million rows."""

from datetime import date, datetime

from sqlalchemy import Date
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base

ALL = 0  # instead of a newsletter's id: people, each counted once


class DayCounts(Base):
    """Who joined and left on one day (UTC), and who read at its end."""

    __tablename__ = "day_counts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(primary_key=True)  # or ALL
    joined: Mapped[int]
    left: Mapped[int]
    readers: Mapped[int]
    counted_at: Mapped[datetime]
