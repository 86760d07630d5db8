"""Appearances: in which feeds an article was offered, under which keys it is recognized there, and until when."""

from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, String, and_, exists, false
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.content.articles import Article
from newsletter.store.database import Base


class Appearance(Base):
    """An article in a feed. The keys are those of the feed's newest version; hashes are SHA-256 in hexadecimal."""

    __tablename__ = "appearances"
    __table_args__ = (Index(None, "feed_id", "identity"),)

    feed_id: Mapped[int] = mapped_column(ForeignKey("feeds.id"), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), primary_key=True, index=True)
    identity: Mapped[str] = mapped_column(String(255))
    link_key: Mapped[str | None] = mapped_column(String(64), index=True, default=None)  # hash of the canonical link
    text_key: Mapped[str | None] = mapped_column(String(64), index=True, default=None)  # hash of title and text
    seen_at: Mapped[datetime | None] = mapped_column(default=None)  # when the feed last offered the article
    left_at: Mapped[datetime | None] = mapped_column(default=None)  # when the feed first lacked it
    is_withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())  # its publisher took it out


def is_withdrawn_everywhere() -> ColumnElement[bool]:
    """Return the condition that every feed that offered an Article has withdrawn it."""
    offered = exists().where(Appearance.article_id == Article.id)
    return and_(offered.where(Appearance.is_withdrawn), ~offered.where(~Appearance.is_withdrawn))
