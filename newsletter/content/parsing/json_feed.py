"""Parse JSON Feed, versions 1 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import html as markup
import json
from collections.abc import Iterable
from typing import Any

from newsletter.content.parsing.decoding import FeedUnreadable
from newsletter.content.parsing.entries import RawEntry
from newsletter.content.parsing.sanitizing import one_line


def is_json(text: str) -> bool:
    """Return whether the document is JSON rather than XML."""
    return text.lstrip().startswith("{")


def read(text: str, url: str) -> tuple[str, str, Iterable[RawEntry]]:
    """Return the feed's title, its language and its items.

    Raises FeedUnreadable for broken JSON and for JSON that is not a feed.
    """
    try:
        feed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedUnreadable("The document is broken JSON.") from error
    if "jsonfeed.org/version/" not in _text(feed, "version") or not isinstance(feed.get("items"), list):
        raise FeedUnreadable("The document is JSON, but not a JSON Feed.")
    items = (_raw(item, url) for item in feed["items"] if isinstance(item, dict))
    return one_line(_text(feed, "title")), one_line(_text(feed, "language")), items


def _raw(item: dict[str, Any], url: str) -> RawEntry:
    return RawEntry(
        identity=_text(item, "id"),
        link=_text(item, "url") or _text(item, "external_url"),
        title=markup.unescape(_text(item, "title")),  # plain text by the specification, but some feeds encode it
        summary=markup.escape(_text(item, "summary")),
        content=_text(item, "content_html") or markup.escape(_text(item, "content_text")),
        base=url,
        author=_author(item),
        dates=[_text(item, "date_published"), _text(item, "date_modified")],
        picture=_text(item, "image") or _text(item, "banner_image"),
        categories=_tags(item.get("tags")),
    )


def _text(item: dict[str, Any], name: str) -> str:
    """Return the value as a string, empty if it is neither a string nor a number. Some feeds' ids are numbers."""
    value = item.get(name)
    return str(value) if isinstance(value, str | int | float) else ""


def _author(item: dict[str, Any]) -> str:
    """Return the first author's name; version 1 has a single `author`."""
    authors = item.get("authors") or [item.get("author")]
    first = authors[0] if isinstance(authors, list) else None
    return _text(first, "name") if isinstance(first, dict) else ""


def _tags(tags: Any) -> list[str]:
    if isinstance(tags, str):
        return tags.split(",")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
