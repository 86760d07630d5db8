"""The last check of each newsletter's sending domain, which a worker makes when somebody asks for it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.store.database import Base


class DomainCheck(Base):
    """What a check found: the verdicts, oldest check first to be replaced."""

    __tablename__ = "domain_checks"

    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"), primary_key=True)
    requested_at: Mapped[datetime]
    checked_at: Mapped[datetime | None] = mapped_column(default=None)  # of `verdicts`; older than a repeated request
    verdicts: Mapped[list[Any] | None] = mapped_column(default=None)  # see verdicts.Verdict
