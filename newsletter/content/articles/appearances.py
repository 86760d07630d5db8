"""Appearances: in which feeds an article was offered, under which keys it is recognized there, and until when."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Index, String, and_, exists, false, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.articles.articles import Article
from newsletter.content.articles.story_keys import StoryKeys, link_keys, text_key
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.entries import MAX_IDENTITY
from newsletter.store.database import Base

MAX_LISTED = 5000  # of these rows at most are read: more than a document has entries
SEEN_AGAIN = timedelta(days=1)  # between two updates of `seen_at`, so that a refresh without news writes nothing
LISTED = text("left_at IS NULL")


class Appearance(Base):
    """An article in a feed. The keys are those of the feed's newest version; hashes are SHA-256 in hexadecimal."""

    __tablename__ = "appearances"
    __table_args__ = (
        Index(None, "feed_id", "identity"),
        Index("ix_appearances_listed", "feed_id", postgresql_where=LISTED, sqlite_where=LISTED),
    )

    feed_id: Mapped[int] = mapped_column(ForeignKey("feeds.id"), primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), primary_key=True, index=True)
    # See `story_keys.comparable`; empty if several stories share it.
    identity: Mapped[str] = mapped_column(String(MAX_IDENTITY))
    link_key: Mapped[str | None] = mapped_column(String(64), index=True, default=None)  # hash of the canonical link
    text_key: Mapped[str | None] = mapped_column(String(64), index=True, default=None)  # hash of the text
    seen_at: Mapped[datetime | None] = mapped_column(default=None)  # when the feed offered it, updated once a day
    left_at: Mapped[datetime | None] = mapped_column(default=None)  # when the feed first lacked the article
    is_withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())  # its publisher took it out


def is_withdrawn_everywhere() -> ColumnElement[bool]:
    """Return the condition that every feed that offered an Article has withdrawn it."""
    offered = exists().where(Appearance.article_id == Article.id)
    return and_(offered.where(Appearance.is_withdrawn), ~offered.where(~Appearance.is_withdrawn))


def has_left_everywhere() -> ColumnElement[bool]:
    """Return the condition that no feed offers an Article any more, withdrawn or not."""
    offered = exists().where(Appearance.article_id == Article.id)
    return and_(offered, ~offered.where(Appearance.left_at.is_(None)))


def listed(session: Session, feed: Feed) -> list[Appearance]:
    """Return the appearances of the articles that the feed's last document contained, the newest first.

    Rows from before an upgrade, of which `seen_at` is None, are among them, and get their keys.
    """
    current = select(Appearance).where(Appearance.feed_id == feed.id, Appearance.left_at.is_(None))
    rows = session.scalars(current.order_by(Appearance.article_id.desc()).limit(MAX_LISTED)).all()
    without_keys = {row.article_id: row for row in rows if row.seen_at is None and not (row.link_key or row.text_key)}
    if without_keys:
        words = select(Article.id, Article.url, Article.summary, Article.html)
        for article_id, url, summary, html in session.execute(words.where(Article.id.in_(without_keys))):
            row = without_keys[article_id]
            row.link_key, row.text_key = link_keys(url)["link"], text_key(summary, html)
        session.flush()
    return list(rows)


def record(
    session: Session, feed: Feed, listed: Collection[Appearance], offered: Mapping[int, StoryKeys], *, now: datetime
) -> None:
    """Store the keys of the articles that a document offers; `listed` are the rows that are known already."""
    rows = {row.article_id: row for row in listed}
    unlisted = offered.keys() - rows.keys()
    if unlisted:
        back = select(Appearance).where(Appearance.feed_id == feed.id, Appearance.article_id.in_(unlisted))
        rows |= {row.article_id: row for row in session.scalars(back)}
    for article_id, keys in offered.items():
        row = rows.get(article_id) or Appearance(feed_id=feed.id, article_id=article_id, identity="")
        row.identity, row.link_key, row.text_key = keys.identity or "", keys.link, keys.text
        row.left_at, row.is_withdrawn = None, False
        if row.seen_at is None or row.seen_at <= now - SEEN_AGAIN:
            row.seen_at = now
        session.add(row)
    session.flush()


def leave(session: Session, missing: Collection[Appearance], withdrawn: Collection[int], *, now: datetime) -> None:
    """Record that a feed does not offer these articles any more, and which of them (ids) its publisher withdrew."""
    for row in missing:
        row.left_at, row.is_withdrawn = now, row.article_id in withdrawn
    session.flush()
