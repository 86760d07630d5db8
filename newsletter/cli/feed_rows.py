"""Feeds as `newsletter feeds` shows them, as lines. Times are in UTC."""

from datetime import datetime
from typing import Any


def line(row: dict[str, Any]) -> str:
    """Return the lines of a feed in a list."""
    head = f"{row['feed']:>4}  {row['newsletter']:<20} {row['title'] or row['url']}"
    lines = [_state(row), _next_try(row)] if row["error"] else [f"{_state(row)}; {_next_try(row)}"]
    return "\n      ".join([head, row["url"], *(lines if not row["paused_at"] else [_state(row)])])


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
