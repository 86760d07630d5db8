"""Digests: the rules that turn articles into issues, on a schedule."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database import Base


class Digest(Base):
    """A rule with a schedule: cron, read by the wall clocks of an IANA zone."""

    __tablename__ = "digests"
    __table_args__ = (UniqueConstraint("newsletter_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    name: Mapped[str] = mapped_column(String(80))
    rule: Mapped[dict[str, Any]]
    cron: Mapped[str] = mapped_column(String(255))
    zone: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime]
    last_run_at: Mapped[datetime | None] = mapped_column(default=None)
    active: Mapped[bool] = mapped_column(default=True)
