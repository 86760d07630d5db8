"""Parse JSON Feed, versions 1 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import json
from typing import Any

from newsletter.content.parsing import authors
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.entries import RawEntry, RawFeed
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.images.declared_pictures import from_json_feed
from newsletter.content.parsing.texts.unescaping import html_from_html, html_from_text, plain_line


def is_json(text: str) -> bool:
    """Return whether the document is JSON rather than XML."""
    return text.lstrip().startswith("{")


def read(text: str, url: str) -> RawFeed:
    """Return the feed and its items. Raises FeedUnreadable for broken JSON and for JSON that is not a feed."""
    try:
        feed = json.loads(text, strict=False)  # with line breaks in strings
    except (ValueError, RecursionError) as error:
        raise FeedUnreadable("The document is broken JSON.") from error
    if "jsonfeed.org/version/" not in _text(feed, "version") or not isinstance(feed.get("items"), list):
        raise FeedUnreadable("The document is JSON, but not a JSON Feed.")
    home = web_address(_text(feed, "home_page_url"), url)
    return RawFeed(
        title=plain_line(_text(feed, "title")),
        link=home,
        language=_text(feed, "language"),
        entries=(_raw(item, feed, home, url) for item in feed["items"] if isinstance(item, dict)),
    )


def _raw(item: dict[str, Any], feed: dict[str, Any], home: str | None, url: str) -> RawEntry:
    content = html_from_html(_text(item, "content_html")) or html_from_text(_text(item, "content_text"))
    return RawEntry(
        identity=_text(item, "id"),
        links=[_text(item, "url"), _text(item, "external_url"), _permalink(item)],
        files=_attachments(item),
        home=home,
        title=plain_line(_text(item, "title")),
        summary=html_from_text(_text(item, "summary")),
        content=content,
        is_content=bool(content.strip()),
        base=home or url,
        author=authors.of_json_item(item, feed),
        dates=[_text(item, "date_published"), _text(item, "date_modified")],
        pictures=list(from_json_feed(item)),
        categories=_tags(item.get("tags")),
    )


def _permalink(item: dict[str, Any]) -> str:
    """Return the id if it is an address: the ideal id is "the full URL of the resource" (JSON Feed 1.1)."""
    identity = _text(item, "id")
    return identity if "://" in identity else ""


def _attachments(item: dict[str, Any]) -> list[str]:
    attachments = item.get("attachments")
    found = attachments if isinstance(attachments, list) else ()
    return [_text(attachment, "url") for attachment in found if isinstance(attachment, dict)]


def _text(item: dict[str, Any], name: str) -> str:
    """Return the value as a string, empty if it is neither a string nor a number. Some feeds' ids are numbers."""
    value = item.get(name)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _tags(tags: Any) -> list[str]:
    if isinstance(tags, str):
        return tags.split(",")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
