"""Store the document of a feed: recognize its entries, insert and edit articles, and let drafts follow."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import newsletters
from newsletter.content.articles import appearances, articles, known_articles, recognition, withdrawals
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.articles.story_keys import StoryKeys, minute
from newsletter.content.articles.withdrawals import ListedArticle
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import drafts, issues
from newsletter.content.parsing.entries import ParsedFeed


def store(session: Session, feed: Feed, document: ParsedFeed, *, now: datetime) -> int:
    """Store a feed's document; return the number of new articles.

    A story is one article of the newsletter, however many of its feeds offer it and however its id or link changes. The
    number of statements does not depend on the number of entries. The newsletter stays locked until the transaction
    ends, so that two workers that store two feeds with the same story make one article.
    """
    newsletters.lock(session, feed.newsletter_id)
    stories = recognition.distinct(document.entries, pages=(document.link, feed.url))
    listed = appearances.listed(session, feed)
    known = known_articles.find(session, feed, stories, listed)
    found = recognition.recognize([keys for _, keys in stories], known.articles)

    offered = {place: article_id for place, article_id in enumerate(found) if article_id is not None}
    edits = {article_id: stories[place][0] for place, article_id in offered.items()}
    changed = articles.edit(session, feed.id, edits, now=now, frozen=issues.frozen_article_ids())
    drafts.follow_edits(session, changed)
    new = [place for place in range(len(stories)) if place not in offered]
    entries = [stories[place][0] for place in new]
    inserted = articles.insert(session, feed.id, entries, now=now, taken=known.identities)
    offered |= {place: article.id for place, article in zip(new, inserted, strict=True)}
    in_order = [(offered[place], keys) for place, (_, keys) in enumerate(stories)]
    if document.is_complete:
        _leave(session, listed, in_order, now=now)
    appearances.record(session, feed, listed, dict(in_order), now=now)
    return len(new)


def _leave(
    session: Session,
    listed: Sequence[Appearance],
    offered: Sequence[tuple[int, StoryKeys]],
    *,
    now: datetime,
) -> None:
    """Record which articles the feed does not offer any more, and take those that were withdrawn out of drafts."""
    missing = {row.article_id: row for row in listed} if offered or len(listed) == 1 else {}
    for article_id, _ in offered:
        missing.pop(article_id, None)
    if not missing:
        return
    before = _listed_articles(session, [row.article_id for row in listed if row.seen_at])
    after = [(article_id, keys.date) for article_id, keys in offered]
    withdrawn = withdrawals.withdrawn(before, after, now=now)
    appearances.leave(session, missing.values(), withdrawn, now=now)
    drafts.drop_withdrawn(session, withdrawn, now=now)


def _listed_articles(session: Session, article_ids: Collection[int]) -> list[ListedArticle]:
    dates = select(Article.id, Article.published_at, Article.first_seen_at).where(Article.id.in_(article_ids))
    return [
        ListedArticle(id=article_id, date=minute(date) if date != first_seen_at else None, offered_at=first_seen_at)
        for article_id, date, first_seen_at in session.execute(dates)
    ]
