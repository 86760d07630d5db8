"""Articles: what the feeds have offered, each once."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database import Base

WANTED = text("picture_url IS NOT NULL AND picture_tried_at IS NULL")


class Article(Base):
    """One entry of a feed. `title` and `summary` are plain text, `html` has passed the allow-list of sanitising."""

    __tablename__ = "articles"
    __table_args__ = (
        UniqueConstraint("feed_id", "identity"),
        Index(None, "feed_id", "published_at"),
        Index("ix_articles_without_picture", "first_seen_at", postgresql_where=WANTED, sqlite_where=WANTED),
    )

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feeds.id"))
    identity: Mapped[str] = mapped_column(String(255))
    url: Mapped[str | None]
    title: Mapped[str]
    summary: Mapped[str]
    html: Mapped[str]
    author: Mapped[str]
    categories: Mapped[list[Any]]
    picture_url: Mapped[str | None]
    picture_alt: Mapped[str]
    published_at: Mapped[datetime]  # as the feed says, but never later than first_seen_at, and never moved by an edit
    first_seen_at: Mapped[datetime]
    edited_at: Mapped[datetime | None] = mapped_column(default=None)
    picture_sha256: Mapped[str | None] = mapped_column(ForeignKey("pictures.sha256"), index=True, default=None)
    picture_tried_at: Mapped[datetime | None] = mapped_column(default=None)
