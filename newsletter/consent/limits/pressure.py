"""Pressure: how many confirmation letters were owed lately for one network, for one domain and overall."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class LetterCount(Base):
    """The letters owed for one key in the ten minutes from `since` on. A key is a keyed MAC, so it names nobody."""

    __tablename__ = "letter_counts"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    n: Mapped[int]
