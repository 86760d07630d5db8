"""Feeds of a newsletter's issues as documents: Atom (RFC 4287) and JSON Feed 1.1."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

ATOM, JSON_FEED = "application/atom+xml", "application/feed+json"
NAMESPACE = "http://www.w3.org/2005/Atom"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2

ET.register_namespace("", NAMESPACE)


@dataclass(frozen=True, kw_only=True)
class FeedItem:
    """An issue in a feed. Its URL is its identity, too: an archive keeps both."""

    url: str
    title: str
    summary: str
    html: str
    image: str | None  # URL
    published_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class FeedDocument:
    """A feed, its newest item first. URLs are absolute."""

    title: str
    subtitle: str
    publisher: str
    language: str  # BCP 47
    page_url: str
    icon_url: str
    created_at: datetime  # the feed's date while it has no item
    items: Sequence[FeedItem]


def atom(feed: FeedDocument, *, own_url: str) -> bytes:
    """Return the feed as Atom."""
    root = ET.Element(f"{{{NAMESPACE}}}feed", {XML_LANG: feed.language})
    _add(root, "id", feed.page_url)
    _add(root, "title", feed.title)
    if feed.subtitle:
        _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", _moment(max((item.updated_at for item in feed.items), default=feed.created_at)))
    _add(_add(root, "author"), "name", feed.publisher)
    _add(root, "icon", feed.icon_url)
    _add(root, "link", rel="self", type=ATOM, href=own_url)
    _add(root, "link", rel="alternate", type="text/html", href=feed.page_url)
    for item in feed.items:
        entry = _add(root, "entry")
        _add(entry, "id", item.url)
        _add(entry, "title", item.title)
        _add(entry, "link", rel="alternate", type="text/html", href=item.url)
        _add(entry, "published", _moment(item.published_at))
        _add(entry, "updated", _moment(item.updated_at))
        _add(entry, "summary", item.summary)
        _add(entry, "content", item.html, type="html")
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def json_feed(feed: FeedDocument, *, own_url: str) -> dict[str, Any]:
    """Return the feed as JSON Feed."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        **({"description": feed.subtitle} if feed.subtitle else {}),
        "home_page_url": feed.page_url,
        "feed_url": own_url,
        "favicon": feed.icon_url,
        "language": feed.language,
        "authors": [{"name": feed.publisher}],
        "items": [
            {
                "id": item.url,
                "url": item.url,
                "title": item.title,
                "summary": item.summary,
                "content_html": item.html,
                **({"image": item.image} if item.image else {}),
                "date_published": _moment(item.published_at),
                "date_modified": _moment(item.updated_at),
            }
            for item in feed.items
        ],
    }


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    element.text = None if text is None else NOT_IN_XML.sub("", text)
    return element


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
