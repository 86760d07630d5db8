"""Articles: what the feeds have offered, each once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.parsing.entries import FeedEntry
from newsletter.store.database import Base

WANTED = text("picture_url IS NOT NULL AND picture_tried_at IS NULL")


class Article(Base):
    """One entry of a feed. `title` and `summary` are plain text, `html` has passed the allow-list of sanitizing."""

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


def upsert(
    session: Session, feed_id: int, entries: Collection[FeedEntry], *, now: datetime, frozen: Select[int]
) -> int:
    """Take in what a feed offers; returns how many articles are new.

    An entry that is known by its identity is edited in place and keeps its date, so that a feed which touches its
    entries up does not send them again. What is in `printed` (ids of articles) stays as its readers have it.
    """
    identities = [entry.identity for entry in entries]
    found = select(Article, Article.id.in_(frozen)).where(Article.feed_id == feed_id)
    known = {
        each.identity: (each, fixed) for each, fixed in session.execute(found.where(Article.identity.in_(identities)))
    }
    new = [entry for entry in entries if entry.identity not in known]
    # Feeds put the newest first. Where they give no date, the higher id has to tell.
    session.add_all(_article(feed_id, entry, now) for entry in reversed(new))
    for entry in entries:
        article, fixed = known.get(entry.identity, (None, True))
        if article and not fixed:
            _edit(article, entry, now)
    session.flush()
    return len(new)


def count(session: Session, feed_id: int, *, since: datetime | None = None) -> int:
    """How many articles a feed has given, or has given first at that time or later."""
    given = select(func.count()).where(Article.feed_id == feed_id)
    return session.scalar(given.where(Article.first_seen_at >= since) if since else given) or 0


def _article(feed_id: int, entry: FeedEntry, now: datetime) -> Article:
    return Article(
        feed_id=feed_id,
        identity=entry.identity,
        published_at=min(entry.published_at or now, now),
        first_seen_at=now,
        **_words(entry),
    )


def _words(entry: FeedEntry) -> dict[str, Any]:
    """What an editor may change after publication."""
    return {
        "url": entry.url,
        "title": entry.title,
        "summary": entry.summary,
        "html": entry.html,
        "author": entry.author,
        "categories": list(entry.categories),
        "picture_url": entry.picture.url if entry.picture else None,
        "picture_alt": entry.picture.alt if entry.picture else "",
    }


def _edit(article: Article, entry: FeedEntry, now: datetime) -> None:
    changed = {name: value for name, value in _words(entry).items() if getattr(article, name) != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(article, name, value)
    article.edited_at = now
    if "picture_url" in changed:
        article.picture_sha256 = article.picture_tried_at = None
