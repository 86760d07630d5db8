"""What a feed has brought: its newest articles, and how each stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CompoundSelect, and_, func, select
from sqlalchemy.orm import Session

from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import NEWS_AGE, Article
from newsletter.content.feeds.feeds import Feed


@dataclass(frozen=True)
class OfferedArticle:
    """An article that a feed has offered, and in words how it stands; `remarks` is empty for a plain one."""

    article: Article
    remarks: tuple[str, ...]


def counts(session: Session, feed_ids: Collection[int]) -> dict[int, int]:
    """Count the articles that feeds have offered, by the feed's id, also those that another feed brought first."""
    brought = select(Article.feed_id, Article.id).where(Article.feed_id.in_(feed_ids))
    seen = select(Appearance.feed_id, Appearance.article_id).where(Appearance.feed_id.in_(feed_ids))
    offered = brought.union(seen).subquery()
    rows = session.execute(select(offered.c.feed_id, func.count()).group_by(offered.c.feed_id))
    found: dict[int, int] = dict(rows.tuples().all())
    return {feed_id: found.get(feed_id, 0) for feed_id in feed_ids}


def newest(session: Session, feed: Feed, *, limit: int, now: datetime) -> list[OfferedArticle]:
    """Return the newest articles that the feed has offered, at most `limit`, also those that another feed brought."""
    here = and_(Appearance.article_id == Article.id, Appearance.feed_id == feed.id)
    articles = (
        select(Article, Appearance.is_withdrawn)
        .outerjoin(Appearance, here)
        .where(Article.id.in_(_offered_ids(feed)))
        .order_by(Article.published_at.desc(), Article.id.desc())
        .limit(limit)
    )
    rows = session.execute(articles)
    return [OfferedArticle(article, _remarks(article, bool(is_withdrawn), now)) for article, is_withdrawn in rows]


def _offered_ids(feed: Feed) -> CompoundSelect[int]:
    offered = select(Article.id).where(Article.feed_id == feed.id)
    return offered.union(select(Appearance.article_id).where(Appearance.feed_id == feed.id))


def _remarks(article: Article, is_withdrawn: bool, now: datetime) -> tuple[str, ...]:
    holds = {
        "edited": article.edited_at is not None,
        "changed after approval": article.changed_at is not None,
        "withdrawn": is_withdrawn,
        "archive": article.first_seen_at - article.published_at > NEWS_AGE,
        "future": article.published_at > now,
    }
    return tuple(remark for remark, is_true in holds.items() if is_true)
