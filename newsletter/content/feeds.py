"""Feeds: where articles come from, and when each is to be asked again."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database import Base


class Feed(Base):
    """A feed that a newsletter reads. `error` is the reason why the last attempt failed, in an operator's words."""

    __tablename__ = "feeds"
    __table_args__ = (UniqueConstraint("newsletter_id", "url"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    url: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    etag: Mapped[str | None] = mapped_column(default=None)
    last_modified: Mapped[str | None] = mapped_column(default=None)
    added_at: Mapped[datetime]
    checked_at: Mapped[datetime | None] = mapped_column(default=None)
    next_try_at: Mapped[datetime] = mapped_column(index=True)
    failures: Mapped[int] = mapped_column(default=0)  # in a row; a success sets it back
    error: Mapped[str | None] = mapped_column(default=None)
