"""Parsing: the body of a feed, in any of its formats, becomes entries. Pure; `reading` bounds its time and memory."""

import calendar
import html as markup
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html.entities import name2codepoint
from itertools import islice
from typing import Any

import feedparser

from newsletter.content.parsing import json_feed
from newsletter.content.parsing.decoding import NotAFeed, decode, strip_prolog
from newsletter.content.parsing.entries import FeedEntry, ParsedFeed, RawEntry, compose, web_address
from newsletter.content.parsing.sanitizing import UNSTORABLE, one_line, plain_text

MAX_ENTRIES = 2000
# HTML's names of characters: XML knows them only from a document type. Those it knows by itself are left to it.
NAMED = re.compile("&(" + "|".join(name2codepoint.keys() - {"lt", "gt", "amp", "quot"}) + ");")
MAX_AUTHOR = 500
MAILBOX = re.compile(r"[(<\[]?[^\s@()<>]+@[^\s@()<>]+[)>\]]?")
SLASHED = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?: (\d{1,2}):(\d{2}):(\d{2}))?")


def parse(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Read RSS, Atom, RDF or JSON Feed that came from `url`. Raises NotAFeed with the reason."""
    text = UNSTORABLE.sub(" ", decode(body, content_type))
    title, raws = json_feed.read(text, url) if json_feed.looks_like_it(text) else _read(text, url)
    found: dict[str, FeedEntry] = {}
    for raw in islice(raws, MAX_ENTRIES):
        if entry := compose(raw):
            found.setdefault(entry.identity, entry)
    return ParsedFeed(title=title, entries=tuple(found.values()))


def _read(text: str, url: str) -> tuple[str, Iterable[RawEntry]]:
    document = NAMED.sub(lambda named: chr(name2codepoint[named[1]]), strip_prolog(text))
    stream = io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>\n' + document.encode())
    try:
        # Links are resolved and HTML is sanitized in `entries`, once and by a stricter boundary than feedparser's.
        parsed = feedparser.parse(stream, resolve_relative_uris=False, sanitize_html=False)
    except Exception as error:  # what is broken badly enough breaks its tolerant parser in many ways
        raise NotAFeed("It is broken XML, and no sense can be made of it.") from error
    if not parsed.version and not parsed.entries:
        raise NotAFeed("It is XML, but not a feed.")
    return _title(parsed.feed), (_raw(entry, url) for entry in parsed.entries)


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
        published_at=_published(entry),
        picture=_picture(entry),
        categories=[tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())],
    )


def _link(entry: Any) -> str:
    """The address of the page. feedparser takes an id for it, and overlooks pages that are not HTML."""
    link = entry.get("link") or ""
    if "://" in link or link != entry.get("id"):
        return link
    return next((each.get("href") or "" for each in entry.get("links", ()) if each.get("rel") == "alternate"), "")


def _title(holder: Any) -> str:
    """The title as text. Its type, or feedparser's careful guess, says whether it was HTML."""
    title = holder.get("title") or ""
    is_text = (holder.get("title_detail") or {}).get("type") == "text/plain"
    return one_line(title) if is_text else plain_text(title)


def _author(entry: Any) -> str:
    """The name without the address that RSS wants beside it. feedparser would cut names where a domain is long."""
    name = MAILBOX.sub("", (entry.get("author") or "")[:MAX_AUTHOR]).strip()
    return name.strip("()") if name.startswith("(") else name


def _html(detail: Any) -> str:
    value = detail.get("value") or ""
    return markup.escape(value) if detail.get("type") == "text/plain" else value


def _published(entry: Any) -> datetime | None:
    """When it was published, else updated. By plain `dict.get`: feedparser's own answers `updated` with `published`."""
    written = SLASHED.fullmatch(dict.get(entry, "published") or "")
    read = (dict.get(entry, f"{name}_parsed") for name in ("published", "created", "updated"))
    parts = [int(part or 0) for part in written.groups()] if written else next(filter(None, read), None)
    try:
        return datetime.fromtimestamp(calendar.timegm((*parts, 0, 0, 0)[:9]), UTC) if parts else None
    except (ValueError, OverflowError, OSError):
        return None


def _picture(entry: Any) -> str:
    """The first image that the feed names beside the text: Media RSS, an enclosure, the cover of an episode."""
    media = [*entry.get("media_content", ()), *entry.get("enclosures", ())]
    images = [each for each in media if (each.get("medium") or each.get("type") or "").startswith("image")]
    for each in [*images, *entry.get("media_thumbnail", ()), entry.get("image") or {}]:
        if address := each.get("url") or each.get("href"):
            return str(address)
    return ""
