"""Articles: the entries that feeds have offered, each stored once."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.parsing.entries import FeedEntry
from newsletter.store.database import Base

UNTRIED = text("picture_url IS NOT NULL AND picture_tried_at IS NULL")
TO_BE_RETRIED = text("picture_due_at IS NOT NULL")


class Article(Base):
    """One entry of a feed. `title` and `summary` are plain text; `html` is sanitized."""

    __tablename__ = "articles"
    __table_args__ = (
        UniqueConstraint("feed_id", "identity"),
        Index(None, "feed_id", "published_at"),
        Index("ix_articles_without_picture", "first_seen_at", postgresql_where=UNTRIED, sqlite_where=UNTRIED),
        Index(None, "picture_due_at", postgresql_where=TO_BE_RETRIED, sqlite_where=TO_BE_RETRIED),
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
    published_at: Mapped[datetime]  # the feed's date, but never later than first_seen_at; an edit never changes it
    first_seen_at: Mapped[datetime]
    edited_at: Mapped[datetime | None] = mapped_column(default=None)
    picture_sha256: Mapped[str | None] = mapped_column(ForeignKey("pictures.sha256"), index=True, default=None)
    picture_tried_at: Mapped[datetime | None] = mapped_column(default=None)
    pictures: Mapped[list[Any] | None] = mapped_column(default=None)  # candidates, the best first: {"url", "alt"}
    picture_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    picture_due_at: Mapped[datetime | None] = mapped_column(default=None)  # of the next try; None if none is due
    changed_at: Mapped[datetime | None] = mapped_column(default=None)  # the feed's version changed after approval


def upsert(
    session: Session, feed_id: int, entries: Collection[FeedEntry], *, now: datetime, frozen: Select[int]
) -> int:
    """Insert a feed's new entries and edit the known ones; return the number of new articles.

    An entry with a known identity is edited in place and keeps its date, so a feed that edits old entries does not send
    them again. Articles in `frozen` (ids) are not edited: they stay as readers received them.
    """
    identities = [entry.identity for entry in entries]
    stored = select(Article, Article.id.in_(frozen)).where(Article.feed_id == feed_id, Article.identity.in_(identities))
    known = {article.identity: (article, is_frozen) for article, is_frozen in session.execute(stored)}
    new = [entry for entry in entries if entry.identity not in known]
    # Feeds list the newest entry first. Inserting in reverse gives it the highest id, which orders undated entries.
    session.add_all(_article(feed_id, entry, now) for entry in reversed(new))
    for entry in entries:
        article, is_frozen = known.get(entry.identity, (None, True))
        if article and not is_frozen:
            _edit(article, entry, now)
    session.flush()
    return len(new)


def count(session: Session, feed_id: int, *, since: datetime | None = None) -> int:
    """Count a feed's articles; with `since`, only those first seen at that time or later."""
    counted = select(func.count()).where(Article.feed_id == feed_id)
    return session.scalar(counted.where(Article.first_seen_at >= since) if since else counted) or 0


def _article(feed_id: int, entry: FeedEntry, now: datetime) -> Article:
    return Article(
        feed_id=feed_id,
        identity=entry.identity,
        published_at=min(entry.published_at or now, now),
        first_seen_at=now,
        **_editable(entry),
        **_pictures(entry),
    )


def _editable(entry: FeedEntry) -> dict[str, Any]:
    """Return the columns that a feed may change after publication."""
    return {
        "url": entry.url,
        "title": entry.title,
        "summary": entry.summary,
        "html": entry.html,
        "author": entry.author,
        "categories": list(entry.categories),
    }


def _pictures(entry: FeedEntry) -> dict[str, Any]:
    """Return the columns that hold the candidates for the lead picture and the current one, at first the best."""
    return {
        "pictures": [asdict(picture) for picture in entry.pictures],
        "picture_url": entry.pictures[0].url if entry.pictures else None,
        "picture_alt": entry.pictures[0].alt if entry.pictures else "",
    }


def _edit(article: Article, entry: FeedEntry, now: datetime) -> None:
    changed = {name: value for name, value in _editable(entry).items() if getattr(article, name) != value}
    for name, value in changed.items():
        setattr(article, name, value)
    if _edit_pictures(article, entry) or changed:
        article.edited_at = now


def _edit_pictures(article: Article, entry: FeedEntry) -> bool:
    """Store the entry's candidates; return whether the publisher changed them.

    Other URLs start the search for the lead picture anew. Other text alternatives alone leave its copy as it is.
    """
    offered = _pictures(entry)
    before = {picture["url"]: picture["alt"] for picture in article.pictures or ()}
    after = {picture.url: picture.alt for picture in entry.pictures}
    if article.pictures == offered["pictures"]:
        return False
    is_known = article.pictures is not None  # the release before stored one URL and no candidates
    article.pictures = offered["pictures"]
    if list(before) == list(after) or (not is_known and article.picture_url == offered["picture_url"]):
        article.picture_alt = after.get(article.picture_url or "", "")
        return is_known
    for name, value in offered.items():
        setattr(article, name, value)
    article.picture_sha256 = article.picture_tried_at = article.picture_due_at = None
    article.picture_tries = 0
    return is_known
