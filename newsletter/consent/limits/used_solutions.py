"""Solutions of the proof of work that were used, so that none counts twice."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class UsedSolution(Base):
    """A solution that a sign-up has used."""

    __tablename__ = "used_solutions"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)  # the challenge is refused from then on anyway
