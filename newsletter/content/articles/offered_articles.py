"""What a feed has brought: its newest articles, and how each stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, func, select, union
from sqlalchemy.orm import Session

from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import NEWS_AGE, Article
from newsletter.content.feeds.feeds import Feed

MAX_REORDERED = 5  # times the articles to show are read, for feeds whose dates are in another order than their ids


@dataclass(frozen=True)
class OfferedArticle:
    """An article that a feed has offered, and in words how it stands; `remarks` is empty for a plain one."""

    article: Article
    remarks: tuple[str, ...]


class FeedNews(NamedTuple):
    """What a feed has brought lately: the date of its newest article, and how many are that new."""

    newest_at: datetime | None
    number: int


def counts(session: Session, feed_ids: Collection[int]) -> dict[int, int]:
    """Count the articles that feeds have offered, by the feed's id, also those that another feed brought first."""
    brought = select(Article.feed_id, Article.id).where(Article.feed_id.in_(feed_ids))
    seen = select(Appearance.feed_id, Appearance.article_id).where(Appearance.feed_id.in_(feed_ids))
    offered = brought.union(seen).subquery()
    rows = session.execute(select(offered.c.feed_id, func.count()).group_by(offered.c.feed_id))
    found: dict[int, int] = dict(rows.all())
    return {feed_id: found.get(feed_id, 0) for feed_id in feed_ids}


def newest(session: Session, feed: Feed, *, limit: int, now: datetime) -> list[OfferedArticle]:
    """Return the newest articles that the feed has offered, at most `limit`, also those that another feed brought.

    It reads a few rows from the end of two indexes, however many articles the feed has.
    """
    here = and_(Appearance.article_id == Article.id, Appearance.feed_id == feed.id)
    newest_ids = _newest_own(feed, limit), _newest_offered(feed, limit)
    articles = (
        select(Article, Appearance.is_withdrawn)
        .outerjoin(Appearance, here)
        .where(Article.id.in_(union(*(select(each.subquery()) for each in newest_ids))))
        .order_by(Article.published_at.desc(), Article.id.desc())
        .limit(limit)
    )
    rows = session.execute(articles)
    return [OfferedArticle(article, _remarks(article, bool(is_withdrawn), now)) for article, is_withdrawn in rows]


def new_by_feed(session: Session, feed_ids: Collection[int], *, since: datetime, now: datetime) -> dict[int, FeedNews]:
    """Return what feeds have brought lately, by the feed's id. The cost does not grow with their archives."""
    dated = select(func.max(Article.published_at)).where(Article.feed_id == Feed.id, Article.published_at <= now)
    lately = select(func.count()).where(Article.feed_id == Feed.id, Article.published_at.between(since, now))
    rows = session.execute(
        select(Feed.id, dated.scalar_subquery(), lately.scalar_subquery()).where(Feed.id.in_(feed_ids))
    )
    return {feed_id: FeedNews(newest_at, number) for feed_id, newest_at, number in rows}


def _newest_own(feed: Feed, limit: int) -> Select[int]:
    own = select(Article.id).where(Article.feed_id == feed.id)
    return own.order_by(Article.published_at.desc(), Article.id.desc()).limit(limit)


def _newest_offered(feed: Feed, limit: int) -> Select[int]:
    # Ids ascend as articles are stored, so the newest articles are among the last ids.
    offered = select(Appearance.article_id).where(Appearance.feed_id == feed.id)
    return offered.order_by(Appearance.article_id.desc()).limit(limit * MAX_REORDERED)


def _remarks(article: Article, is_withdrawn: bool, now: datetime) -> tuple[str, ...]:
    holds = {
        "edited": article.edited_at is not None,
        "changed after approval": article.changed_at is not None,
        "withdrawn": is_withdrawn,
        "archive": article.first_seen_at - article.published_at > NEWS_AGE,
        "future": article.published_at > now,
    }
    return tuple(remark for remark, is_true in holds.items() if is_true)
