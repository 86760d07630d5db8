"""Known articles: find the stored articles that the entries of a document may be."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, case, func, select, union
from sqlalchemy.orm import Session

from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.articles.recognition import KnownArticle
from newsletter.content.articles.story_keys import StoryKeys, comparable, headline, link_keys, minute, normalized
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.entries import FeedEntry

BEGINNING = 8  # characters of a title that the database compares
MAX_HITS = 5000  # articles found in one way: a feed may give all its entries the same words, again and again


class KnownArticles(NamedTuple):
    """The articles with their keys, once for each feed, and the identities that articles of this feed have already."""

    articles: list[KnownArticle]
    identities: set[str]


def find(
    session: Session,
    feed: Feed,
    stories: Sequence[tuple[FeedEntry, StoryKeys]],
    listed: Collection[Appearance],
) -> KnownArticles:
    """Return the articles that the entries of a document may be.

    Those are the articles that the feed `listed` last, or offered under the same id, and those of the newsletter with
    the same link, text, or title and date. By the entries' own identities the release before, which may run beside this
    one, stores articles.
    """
    identities = {entry.identity for entry, _ in stories}
    for _, keys in stories:
        if keys.identity:
            identities |= {f"{scheme}{keys.identity}" for scheme in ("", "http:", "https:")}
    links = {keys.link for _, keys in stories if keys.link}
    here = select(Appearance.article_id).where(Appearance.feed_id == feed.id)
    feeds = select(Feed.id).where(Feed.newsletter_id == feed.newsletter_id)
    # "+ 0" keeps SQLite from reading all appearances of these feeds instead of the few with the same key.
    anywhere = select(Appearance.article_id).where((Appearance.feed_id + 0).in_(feeds))
    same_date = Article.feed_id.in_(feeds) & Article.id.in_(_with_title_and_date(session, feeds, stories, listed))
    hits = (
        here.where(Appearance.left_at.is_(None)),
        here.where(Appearance.identity.in_(identities)),
        anywhere.where(Appearance.link_key.in_(links)),
        anywhere.where(Appearance.text_key.in_({keys.text for _, keys in stories if keys.text})),
        select(Article.id).where(Article.feed_id == feed.id, Article.identity.in_(identities)),
        select(Article.id).where(same_date),
    )
    ids = union(*(select(hit.limit(MAX_HITS).subquery().c[0]) for hit in hits))
    rows = session.execute(_with_keys(feed, links).where(Article.id.in_(ids))).all()
    appeared_here = {row.id for row in rows if row.is_here}
    adopted = {row.id: row for row in rows if row.feed_id == feed.id and row.id not in appeared_here}
    articles = [_article(row) for row in rows if row.is_here is not None]
    articles += [_article(row, is_adopted=True) for row in adopted.values()]
    return KnownArticles(articles, {row.identity for row in rows if row.feed_id == feed.id})


def _with_title_and_date(
    session: Session,
    feeds: Select[int],
    stories: Sequence[tuple[FeedEntry, StoryKeys]],
    listed: Collection[Appearance],
) -> list[int]:
    """Return the ids of the newsletter's articles that have the date of a story, and its title or headline.

    Many feeds date all their articles to midnight, so the database compares how the titles begin. A story with the id
    and the link of a `listed` appearance is recognized by these.
    """
    shown = {(row.identity, row.link_key) for row in listed if row.identity and row.link_key}
    others = [(entry, keys) for entry, keys in stories if (keys.identity, keys.link) not in shown]
    dates = {entry.published_at for entry, _ in others if entry.published_at}
    if not dates:
        return []
    titles = {title for _, keys in others for title in (keys.title, keys.headline)}
    dated = select(Article.id, Article.title).where(Article.feed_id.in_(feeds), Article.published_at.in_(dates))
    beginnings = {entry.title[:BEGINNING].lower() for entry, _ in others}
    alike = dated.where(func.lower(func.substr(Article.title, 1, BEGINNING)).in_(beginnings))
    found = session.execute(alike.limit(MAX_HITS))
    return [article_id for article_id, title in found if titles & {normalized(title), headline(title)}]


def _with_keys(feed: Feed, links: Collection[str]) -> Select[Any]:
    """Select articles with their keys: those of this feed, and those of other feeds each once.

    Of another feed's link, only that it is one of `links` counts. So a story that hundreds of feeds offer, each under a
    link of its own, is one row and not hundreds. `is_here` is None if no feed has the article under keys.
    """
    is_here = Appearance.feed_id == feed.id
    article = (Article.id, Article.feed_id, Article.identity, Article.url, Article.title)
    dates = (Article.published_at, Article.first_seen_at)
    keys = (
        is_here.label("is_here"),
        case((is_here, Appearance.identity)).label("identity_here"),
        case((is_here | Appearance.link_key.in_(links), Appearance.link_key)).label("link_key"),
        Appearance.text_key,
    )
    return select(*article, *dates, *keys).outerjoin(Appearance, Appearance.article_id == Article.id).distinct()


def _article(row: Any, *, is_adopted: bool = False) -> KnownArticle:
    """Return a stored article; `is_adopted` if the release before stored it, under its identity and without keys."""
    is_here = is_adopted or row.is_here
    links = link_keys(row.url) if is_here else {}  # elsewhere, a page and a path tell nothing
    keys = StoryKeys(
        identity=comparable((row.identity if is_adopted else row.identity_here) or "") or None,
        link=links.get("link") if is_adopted else row.link_key,
        page=links.get("page"),
        path=links.get("path"),
        text=None if is_adopted else row.text_key,
        title=normalized(row.title),
        headline=headline(row.title),
        date=minute(row.published_at) if row.published_at != row.first_seen_at else None,
    )
    return KnownArticle(id=row.id, is_here=is_here, keys=keys)
