"""What operators are told of feeds, as values: how each stands, its newest articles, and what a look has shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.content.articles import articles, offered_articles
from newsletter.content.feed_looks import FeedLook
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing import web_pages
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.newsletters import Newsletter

NEWEST_SEEN, NEWEST_SHOWN = 3, 10  # articles after a look, and of one feed


def rows(
    session: Session, feeds: Sequence[tuple[Feed, Newsletter]], *, now: datetime, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Return how feeds stand. `new` counts the articles first seen at `since` or later."""
    ids = [feed.id for feed, _ in feeds]
    counted, new = offered_articles.counts(session, ids), articles.counts(session, ids, since=since) if since else {}
    return [
        {
            **state(feed, newsletter, now=now),
            "articles": counted[feed.id],
            **({"new": new.get(feed.id)} if since else {}),
        }
        for feed, newsletter in feeds
    ]


def state(feed: Feed, newsletter: Newsletter, *, now: datetime) -> dict[str, Any]:
    """Return how a feed stands, without counting its articles."""
    return {
        "feed": feed.id,
        "newsletter": newsletter.slug,
        "url": without_userinfo(feed.url),  # rows from older releases may still hold a password
        "title": feed.shown_title,
        "checked_at": feed.checked_at,
        "next_try_at": None if feed.paused_at else feed.next_try_at,
        "failures": feed.failures,
        "failing_since": feed.failing_since if feed.failures else None,
        "error": feed.error,
        "paused_at": feed.paused_at,
        "late_since": feed.late_since(now),
    }


def facts(session: Session, feed: Feed, newsletter: Newsletter, *, now: datetime) -> dict[str, Any]:
    """Return everything about one feed but the number of its articles."""
    newest = offered_articles.newest(session, feed, limit=NEWEST_SHOWN, now=now)
    return {
        **state(feed, newsletter, now=now),
        "feed_title": feed.title,
        "own_title": feed.own_title,
        "added_at": feed.added_at,
        "read_at": feed.read_at,
        "overruns": feed.overruns,
        "etag": feed.etag,
        "last_modified": feed.last_modified,
        "newest": [
            {
                "article": offered.article.id,
                "title": offered.article.title,
                "url": offered.article.url,
                "published_at": offered.article.published_at,
                "first_seen_at": offered.article.first_seen_at,
                "remarks": offered.remarks,
                "has_picture": offered.article.picture_sha256 is not None,
            }
            for offered in newest
        ],
    }


def seen(look: FeedLook, *, now: datetime, number: int = NEWEST_SEEN) -> dict[str, Any]:
    """Return what came when an address was looked at, with at most `number` articles."""
    download, newest = look.download, look.newest(number, now=now)
    feed = download.feed if download else None
    return {
        "title": feed.title if feed else None,
        "entries": len(feed.entries) if feed else 0,
        "dropped": feed.dropped if feed else 0,
        "is_complete": feed.is_complete if feed else True,
        "with_pictures": sum(bool(entry.pictures) for entry in feed.entries) if feed else 0,
        "newest": [
            {"title": entry.title, "published_at": entry.published_at, "has_picture": bool(entry.pictures)}
            for entry in newest
        ],
        "moved_from": look.asked if look.url != look.asked else None,
        "error": str(look.failure) if look.failure else None,
        "named_feeds": web_pages.named_feeds(str(look.failure)) if look.failure else [],
    }
