"""Known articles: find the stored articles that the entries of a document may be."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.articles.recognition import KnownArticle
from newsletter.content.articles.story_keys import StoryKeys, comparable, headline, link_keys, minute, normalized
from newsletter.content.feeds.feeds import Feed

MAX_HITS = 5000  # articles found in one way: a feed may give all its entries the same words, again and again


class KnownArticles(NamedTuple):
    """The articles with their keys, once for each feed, and the identities that articles of this feed have already."""

    articles: list[KnownArticle]
    identities: set[str]


def find(
    session: Session,
    feed: Feed,
    stories: Sequence[StoryKeys],
    *,
    identities: Collection[str],
    dates: Collection[datetime],
) -> KnownArticles:
    """Return the articles that the entries of a document may be.

    Those are the articles that the feed listed last, or offered under the same id, and those of the newsletter with the
    same link, text or date. `identities` and `dates` are those of the entries; by identities the release before, which
    may run beside this one, stores articles.
    """
    same = {f"{scheme}{keys.identity}" for keys in stories if keys.identity for scheme in ("", "http:", "https:")}
    here = select(Appearance.article_id).where(Appearance.feed_id == feed.id)
    feeds = select(Feed.id).where(Feed.newsletter_id == feed.newsletter_id)
    # "+ 0" keeps SQLite from reading all appearances of these feeds instead of the few with the same key.
    anywhere = select(Appearance.article_id).where((Appearance.feed_id + 0).in_(feeds))
    hits = (
        here.where(Appearance.left_at.is_(None)),
        here.where(Appearance.identity.in_(same.union(identities))),
        anywhere.where(Appearance.link_key.in_({keys.link for keys in stories if keys.link})),
        anywhere.where(Appearance.text_key.in_({keys.text for keys in stories if keys.text})),
        select(Article.id).where(Article.feed_id == feed.id, Article.identity.in_(same.union(identities))),
        select(Article.id).where(Article.feed_id.in_(feeds), Article.published_at.in_(dates)),
    )
    ids = union(*(select(hit.limit(MAX_HITS).subquery().c[0]) for hit in hits))
    columns = select(Article.id, Article.feed_id, Article.identity, Article.url, Article.title)
    columns = columns.add_columns(Article.published_at, Article.first_seen_at, Appearance)
    rows = session.execute(
        columns.outerjoin(Appearance, Appearance.article_id == Article.id).where(Article.id.in_(ids))
    ).all()
    appeared_here = {row.id for row in rows if row.Appearance and row.Appearance.feed_id == feed.id}
    adopted = {row.id: row for row in rows if row.feed_id == feed.id and row.id not in appeared_here}
    articles = [_article(row, row.Appearance, feed) for row in rows if row.Appearance]
    articles += [_article(row, None, feed) for row in adopted.values()]
    return KnownArticles(articles, {row.identity for row in rows if row.feed_id == feed.id})


def _article(row: Any, appearance: Appearance | None, feed: Feed) -> KnownArticle:
    """Return a stored article; one without an appearance was stored by the release before, under its identity."""
    links = link_keys(row.url)
    keys = StoryKeys(
        identity=comparable(appearance.identity if appearance else row.identity) or None,
        link=appearance.link_key if appearance else links["link"],
        page=links["page"],
        path=links["path"],
        text=appearance.text_key if appearance else None,
        title=normalized(row.title),
        headline=headline(row.title),
        date=minute(row.published_at) if row.published_at != row.first_seen_at else None,
    )
    return KnownArticle(id=row.id, is_here=appearance is None or appearance.feed_id == feed.id, keys=keys)
