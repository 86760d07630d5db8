"""Feeds as `newsletter feeds` shows them: as values for JSON, and as lines for people. Times are in UTC."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter.content.articles import articles, offered_articles
from newsletter.content.feed_looks import FeedLook
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.doctor import feed_age
from newsletter.newsletters import Newsletter

NEWEST_SEEN, NEWEST_SHOWN = 3, 10  # articles after a look, and of one feed


def rows(
    session: Session, feeds: Sequence[tuple[Feed, Newsletter]], *, now: datetime, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Return feeds for `list` and `refresh`. `new` counts the articles first seen at `since` or later."""
    ids = [feed.id for feed, _ in feeds]
    counted, new = offered_articles.counts(session, ids), articles.counts(session, ids, since=since) if since else {}
    return [_row(feed, newsletter, counted[feed.id], new.get(feed.id), now) for feed, newsletter in feeds]


def _row(feed: Feed, newsletter: Newsletter, number: int, new: int | None, now: datetime) -> dict[str, Any]:
    late_since = feed.next_try_at if not feed.paused_at and now - feed.next_try_at > feed_age.LATE else None
    return {
        "feed": feed.id,
        "newsletter": newsletter.slug,
        "url": without_userinfo(feed.url),  # rows from older releases may still hold a password
        "title": feed.shown_title,
        "articles": number,
        **({"new": new} if new is not None else {}),
        "checked_at": feed.checked_at,
        "next_try_at": None if feed.paused_at else feed.next_try_at,
        "failures": feed.failures,
        "error": feed.error,
        "paused_at": feed.paused_at,
        "late_since": late_since,
    }


def line(row: dict[str, Any]) -> str:
    """Return the lines of a feed in a list."""
    head = f"{row['feed']:>4}  {row['newsletter']:<20} {row['title'] or row['url']}"
    lines = [_state(row), _next_try(row)] if row["error"] else [f"{_state(row)}; {_next_try(row)}"]
    return "\n      ".join([head, row["url"], *(lines if not row["paused_at"] else [_state(row)])])


def details(session: Session, feed: Feed, newsletter: Newsletter, *, now: datetime) -> dict[str, Any]:
    """Return everything about one feed."""
    newest = offered_articles.newest(session, feed, limit=NEWEST_SHOWN, now=now)
    return {
        **rows(session, [(feed, newsletter)], now=now)[0],
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
            }
            for offered in newest
        ],
    }


def page(details: dict[str, Any]) -> str:
    """Return everything about one feed, as lines."""
    validators = [name for name, key in (("ETag", "etag"), ("Last-Modified", "last_modified")) if details[key]]
    facts = {
        "newsletter": details["newsletter"],
        "address": details["url"],
        "title": _titles(details),
        "state": _state(details),
        "next try": _next_try(details).removeprefix("next try "),
        "added": _time(details["added_at"]),
        "last attempt": _time(details["checked_at"]),
        "last document": _time(details["read_at"]),
        "validators": " and ".join(validators) or "none",
    }
    lines = [f"Feed {details['feed']}", *(f"  {name:<14}{text}" for name, text in facts.items())]
    return "\n".join([*lines, *map(_article, details["newest"])])


def seen(look: FeedLook, *, now: datetime) -> dict[str, Any]:
    """Return what came when an address was looked at."""
    download, newest = look.download, look.newest(NEWEST_SEEN, now=now)
    feed = download.feed if download else None
    return {
        "title": feed.title if feed else None,
        "entries": len(feed.entries) if feed else 0,
        "with_pictures": sum(bool(entry.pictures) for entry in feed.entries) if feed else 0,
        "newest": [{"title": entry.title, "published_at": entry.published_at} for entry in newest],
        "moved_from": look.asked if look.url != look.asked else None,
        "error": str(look.failure) if look.failure else None,
    }


def seen_lines(seen: dict[str, Any]) -> str:
    """Return what came, as lines."""
    if seen["error"]:
        return f"  It cannot be read now: {seen['error']}"
    lines = [f"  {seen['title'] or 'The feed has no title.'}", f"  {_entries(seen)}", *map(_article, seen["newest"])]
    if seen["moved_from"]:
        lines.append(f"  It has moved for good from {seen['moved_from']}")
    return "\n".join(lines)


def _entries(seen: dict[str, Any]) -> str:
    number, pictures = seen["entries"], seen["with_pictures"]
    if not number:
        return "It has no entries yet."
    entries = "1 entry" if number == 1 else f"{number} entries"
    return f"{entries}, {pictures or 'none'} with a picture; the newest, in UTC:"


def _article(row: dict[str, Any]) -> str:
    remarks = f"  ({', '.join(row['remarks'])})" if row.get("remarks") else ""
    published = f"{row['published_at']:%Y-%m-%d %H:%M}" if row["published_at"] else "without a date"
    return f"    {published:<16}  {row['title']}{remarks}"


def _titles(details: dict[str, Any]) -> str:
    if details["own_title"]:
        return f"{details['own_title']} (yours; the feed says: {details['feed_title'] or 'nothing'})"
    return details["title"] or "none yet"


def _state(row: dict[str, Any]) -> str:
    fresh = f", {row['new']} new" if "new" in row else ""
    found = f"{row['articles']} articles{fresh}" if row["checked_at"] else "not fetched yet"
    if row["paused_at"]:
        return f"paused since {_time(row['paused_at'])}; {found}"
    return row["error"] or found


def _next_try(row: dict[str, Any]) -> str:
    if row["paused_at"]:
        return "none until it is resumed"
    after = f", after {row['failures']} failures in a row" if row["failures"] > 1 else ""
    if row["late_since"]:
        return f"late: due since {_time(row['late_since'])}; the workers are busy or do not run{after}"
    return f"next try {_time(row['next_try_at'])}{after}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"
