"""Parse RSS, Atom, RDF and JSON Feed to entries. Pure; `sandbox` limits its time and memory."""

import html as markup
import io
import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any

import feedparser

from newsletter import clock
from newsletter.content.parsing import json_feed, references
from newsletter.content.parsing.decoding import FeedUnreadable, decode
from newsletter.content.parsing.entries import FeedEntry, ParsedFeed, RawEntry, normalize, web_address
from newsletter.content.parsing.prolog import strip_prolog
from newsletter.content.parsing.sanitizing import UNSTORABLE, one_line, plain_text
from newsletter.content.parsing.truncation import whole_items

MAX_ENTRIES = 2000
MAX_AUTHOR = 500
MAILBOX = re.compile(r"[(<\[]?[^\s@()<>]+@[^\s@()<>]+[)>\]]?")


def parse(body: bytes, *, url: str, content_type: str = "", now: datetime | None = None) -> ParsedFeed:
    """Parse a feed fetched from `url`; of entries with the same identity, the first wins. Raises FeedUnreadable.

    `now`, the clock's time by default, decides only which dates are too far ahead to believe.
    """
    text = UNSTORABLE.sub(" ", decode(body, content_type))
    is_complete = True
    if json_feed.is_json(text):
        title, language, raws = json_feed.read(text, url)
    else:
        text, is_complete = whole_items(strip_prolog(text))
        title, language, raws = _read_xml(references.resolve(text), url)
    entries: dict[str, FeedEntry] = {}
    for raw in islice(raws, MAX_ENTRIES):
        if entry := normalize(raw, language=language, now=now or clock.now()):
            entries.setdefault(entry.identity, entry)
    return ParsedFeed(title=title, entries=tuple(entries.values()), language=language, is_complete=is_complete)


def _read_xml(text: str, url: str) -> tuple[str, str, Iterable[RawEntry]]:
    """Return the feed's title, its language and its entries."""
    stream = io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode())
    try:
        # `entries` resolves links and sanitizes HTML once, more strictly than feedparser does.
        parsed = feedparser.parse(stream, resolve_relative_uris=False, sanitize_html=False)
    except Exception as error:  # a badly broken document makes feedparser raise many kinds of errors
        raise FeedUnreadable("The document is broken XML and cannot be parsed.") from error
    if not parsed.version and not parsed.entries:
        raise FeedUnreadable("The document is XML, but not a feed.")
    return (
        _title(parsed.feed),
        one_line(parsed.feed.get("language") or ""),
        (_raw(entry, url) for entry in parsed.entries),
    )


def _raw(entry: Any, url: str) -> RawEntry:
    summary = entry.get("summary_detail") or {}
    content = next((each for each in entry.get("content", ()) if each.get("value")), summary)
    return RawEntry(
        identity=entry.get("id") or "",
        link=_link(entry),
        title=_title(entry),
        summary=_html(summary),
        content=_html(content),
        base=web_address(content.get("base") or "", url) or url,
        author=_author(entry),
        dates=_dates(entry),
        picture=_picture(entry),
        categories=[tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())],
    )


def _link(entry: Any) -> str:
    """Return the address of the page. feedparser falls back to the id, and ignores pages that are not HTML."""
    link = entry.get("link") or ""
    if "://" in link or link != entry.get("id"):
        return link
    return next((each.get("href") or "" for each in entry.get("links", ()) if each.get("rel") == "alternate"), "")


def _title(holder: Any) -> str:
    """Return the title as plain text. Its type, declared or guessed by feedparser, shows whether it is HTML."""
    title = holder.get("title") or ""
    is_text = (holder.get("title_detail") or {}).get("type") == "text/plain"
    return one_line(title) if is_text else plain_text(title)


def _author(entry: Any) -> str:
    """Return the name without the e-mail address that RSS requires; feedparser's own split cuts some names short."""
    name = MAILBOX.sub("", (entry.get("author") or "")[:MAX_AUTHOR]).strip()
    return name.strip("()") if name.startswith("(") else name


def _html(detail: Any) -> str:
    value = detail.get("value") or ""
    return markup.escape(value) if detail.get("type") == "text/plain" else value


def _dates(entry: Any) -> list[str]:
    """Return the dates of publication, of creation and of the last update, as far as the feed states them.

    Uses plain `dict.get`: feedparser's own `get` returns `published` for a missing `updated`.
    """
    return [dict.get(entry, name) or "" for name in ("published", "created", "updated")]


def _picture(entry: Any) -> str:
    """Return the first image declared outside the text: Media RSS, an enclosure, or the cover of an episode."""
    media = [*entry.get("media_content", ()), *entry.get("enclosures", ())]
    images = [item for item in media if (item.get("medium") or item.get("type") or "").startswith("image")]
    for image in [*images, *entry.get("media_thumbnail", ()), entry.get("image") or {}]:
        if address := image.get("url") or image.get("href"):
            return str(address)
    return ""
