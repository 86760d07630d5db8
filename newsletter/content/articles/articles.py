"""Articles: the entries that feeds have offered, each stored once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ForeignKey, Index, Select, String, UniqueConstraint, func, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.entries import MAX_IDENTITY, FeedEntry
from newsletter.store.database import Base

NEWS_AGE = timedelta(days=30)  # an article that was older when it was first seen comes from an archive
MAX_CLOCK_ERROR = timedelta(days=1)  # a date that is nearer in the future is now, by a wrong clock or zone
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
    identity: Mapped[str] = mapped_column(String(MAX_IDENTITY))
    url: Mapped[str | None]
    title: Mapped[str]
    summary: Mapped[str]
    html: Mapped[str]
    # Whether `html` is all of the article, not only what the feed tells of it; None: a release before stored the row.
    has_whole_text: Mapped[bool | None] = mapped_column(default=None, kw_only=True)
    author: Mapped[str]
    categories: Mapped[list[Any]]
    picture_url: Mapped[str | None]
    picture_alt: Mapped[str]
    published_at: Mapped[datetime]  # the feed's date, or first_seen_at without one; an edit changes only a future date
    first_seen_at: Mapped[datetime]
    edited_at: Mapped[datetime | None] = mapped_column(default=None)
    picture_sha256: Mapped[str | None] = mapped_column(ForeignKey("pictures.sha256"), index=True, default=None)
    picture_tried_at: Mapped[datetime | None] = mapped_column(default=None)
    pictures: Mapped[list[Any] | None] = mapped_column(default=None)  # candidates, the best first: {"url", "alt"}
    picture_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    picture_due_at: Mapped[datetime | None] = mapped_column(default=None)  # of the next try; None if none is due
    changed_at: Mapped[datetime | None] = mapped_column(default=None)  # the feed's version changed after approval


def insert(
    session: Session, feed_id: int, entries: Sequence[FeedEntry], *, now: datetime, taken: Collection[str]
) -> list[Article]:
    """Insert a feed's new entries; return their articles in the same order.

    An entry whose identity another article of the feed has (`taken`, or an entry before it) gets a new one.
    """
    used = set(taken)
    articles = []
    for entry in entries:
        identity = _unique_identity() if entry.identity in used else entry.identity
        used.add(identity)
        articles.append(_article(feed_id, identity, entry, now))
    # Feeds list the newest entry first. Inserting in reverse gives it the highest id, which orders undated entries.
    session.add_all(reversed(articles))
    session.flush()
    return articles


def edit(
    session: Session, feed_id: int, entries: Mapping[int, FeedEntry], *, now: datetime, frozen: Select[int]
) -> list[int]:
    """Edit articles of a feed to its newest version, by id; return the ids of those that changed.

    An article keeps its date, so a feed that edits old entries does not send them again; only a date in the future is
    corrected until it comes. Articles in `frozen` (ids) stay as readers received them, and `changed_at` tells that the
    feed's version differs. The version of the first feed counts: another feed's article is edited only if that feed
    was removed, and becomes this feed's.
    """
    is_own = or_(Article.feed_id == feed_id, Feed.removed_at.is_not(None))
    owned = select(Article, Article.id.in_(frozen)).join(Feed, Feed.id == Article.feed_id)
    changed = []
    for article, is_frozen in session.execute(owned.where(is_own, Article.id.in_(entries))):
        if is_frozen:
            _mark_changed(article, entries[article.id], now)
            continue
        if article.feed_id != feed_id:
            article.feed_id, article.identity = feed_id, _unique_identity()
        if _edit(article, entries[article.id], now):
            changed.append(article.id)
    session.flush()
    return changed


def counts(session: Session, feed_ids: Collection[int], *, since: datetime | None = None) -> dict[int, int]:
    """Count the articles of feeds, by the feed's id; with `since`, only those first seen at that time or later."""
    counted = select(Article.feed_id, func.count()).where(Article.feed_id.in_(feed_ids)).group_by(Article.feed_id)
    if since:
        counted = counted.where(Article.first_seen_at >= since)
    found = dict(session.execute(counted).all())
    return {feed_id: found.get(feed_id, 0) for feed_id in feed_ids}


def _article(feed_id: int, identity: str, entry: FeedEntry, now: datetime) -> Article:
    return Article(
        feed_id=feed_id,
        identity=identity,
        published_at=_published_at(entry, now),
        first_seen_at=now,
        has_whole_text=entry.has_whole_text,
        **_editable(entry),
        **_pictures(entry),
    )


def _unique_identity() -> str:
    return f"urn:uuid:{uuid4()}"


def _published_at(entry: FeedEntry, now: datetime) -> datetime:
    """Return the feed's date if it lies in the past or far in the future, so that the article waits; else now."""
    date = entry.published_at or now
    return date if date > now + MAX_CLOCK_ERROR else min(date, now)


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


def _edit(article: Article, entry: FeedEntry, now: datetime) -> bool:
    """Edit an article; return whether it changed."""
    article.has_whole_text = entry.has_whole_text  # no edit: the release before did not know it
    changed = {name: value for name, value in _editable(entry).items() if getattr(article, name) != value}
    if article.published_at > now and entry.published_at not in (None, article.published_at):
        changed["published_at"] = _published_at(entry, now)
    if article.changed_at:
        article.changed_at = None
    for name, value in changed.items():
        setattr(article, name, value)
    if not (_edit_pictures(article, entry) or changed):
        return False
    article.edited_at = now
    return True


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


def _mark_changed(article: Article, entry: FeedEntry, now: datetime) -> None:
    """Record when the feed's version began to differ in what readers see, or that it does not differ any more."""
    editable = _editable(entry)
    differs = any(editable[name] != getattr(article, name) for name in ("url", "title", "summary", "html", "author"))
    if differs != (article.changed_at is not None):
        article.changed_at = now if differs else None
