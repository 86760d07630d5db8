"""Parse RSS, Atom, RDF and JSON Feed to entries. Pure; `downloading` limits its time and memory."""

import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import feedparser

from newsletter import clock
from newsletter.content.parsing import authors, feed_links, feedparser_input, json_feed, web_pages
from newsletter.content.parsing.documents import references
from newsletter.content.parsing.documents.decoding import FeedUnreadable, decode
from newsletter.content.parsing.documents.prolog import strip_prolog
from newsletter.content.parsing.documents.truncation import whole_items
from newsletter.content.parsing.entries import ParsedFeed, RawEntry, RawFeed, normalize
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.images import declared_pictures
from newsletter.content.parsing.images.declared_pictures import DeclaredMedia
from newsletter.content.parsing.texts.sanitizing import UNSTORABLE, one_line
from newsletter.content.parsing.texts.unescaping import html_from_html, html_from_text, plain_line

MAX_ENTRIES = 2000
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")  # as in BCP 47
TEXT_TYPES = ("text/plain", "text/html", "application/xhtml+xml", "")


def parse(body: bytes, *, url: str, content_type: str = "", now: datetime | None = None) -> ParsedFeed:
    """Parse a feed fetched from `url`; several entries may have the same identity. Raises FeedUnreadable.

    `now`, the clock's time by default, decides only which dates are too far ahead to believe.
    """
    text = UNSTORABLE.sub(" ", decode(body, content_type))
    if page := web_pages.explain(text, url=url):
        raise FeedUnreadable(page)
    feed = json_feed.read(text, url) if json_feed.is_json(text) else _read_xml(text, url)
    language = feed.language.strip().replace("_", "-")
    if not LANGUAGE.fullmatch(language):
        language = ""
    now = now or clock.now()
    entries = [normalize(raw, language=language, now=now) for raw in islice(feed.entries, MAX_ENTRIES)]
    return ParsedFeed(
        title=feed.title,
        entries=tuple(filter(None, entries)),
        dropped=entries.count(None),
        link=feed.link,
        language=language,
        is_complete=feed.is_complete,
    )


def _read_xml(text: str, url: str) -> RawFeed:
    whole = whole_items(strip_prolog(text))
    document = feedparser_input.prepare(references.resolve(whole.text))
    try:
        # `entries` resolves links and sanitizes HTML once, more strictly than feedparser does.
        parsed = feedparser.parse(io.BytesIO(document), resolve_relative_uris=False, sanitize_html=False)
    except Exception as error:  # a badly broken document makes feedparser raise many kinds of errors
        raise FeedUnreadable("The document is broken XML and cannot be parsed.") from error
    if not parsed.version and not parsed.entries:
        raise FeedUnreadable("The document is XML, but not a feed.")
    feed = parsed.feed
    channel_base = _base(feed, url) or url
    home = next(filter(None, (web_address(link, channel_base) for link in feed_links.of_channel(feed))), None)
    # A relative link of Atom begins at the document (RFC 4287 section 2), one of RSS at the site that it belongs to.
    base = url if parsed.version.startswith("atom") else home or url
    return RawFeed(
        title=_title(feed),
        link=home,
        language=feed.get("language") or (feed.get("title_detail") or {}).get("language") or "",
        entries=(
            # A plain dictionary: feedparser's own is slow, and returns `published` for a missing `updated`.
            _raw(dict(entry), feed, media, home=home, base=base, url=url)
            for entry, media in zip(parsed.entries, _media(parsed.entries, document), strict=False)
        ),
        is_complete=whole.is_complete,
    )


def _media(entries: Sequence[Any], document: bytes) -> Iterator[DeclaredMedia]:
    """Yield what each entry declares outside its text."""
    read = declared_pictures.read(document, limit=MAX_ENTRIES)
    declared = read if len(read) <= len(entries) else []  # the two readers disagree on what an entry is
    yield from declared
    yield from (declared_pictures.from_feedparser(entry) for entry in entries[len(declared) :])


def _raw(entry: dict[str, Any], feed: Any, media: DeclaredMedia, *, home: str | None, base: str, url: str) -> RawEntry:
    summary, content = _texts(entry, media)
    declared = _base(entry, url, content)
    return RawEntry(
        identity=entry.get("id") or "",
        links=feed_links.of_entry(entry),
        files=feed_links.of_file(entry),
        home=home,
        title=_title(entry),
        summary=_html(summary),
        content=_html(content),
        is_content=any(content is each for each in entry.get("content", ())),
        base=declared or base,
        is_base_declared=declared is not None,
        author=authors.of_entry(entry, feed),
        dates=_dates(entry),
        pictures=media.pictures,
        categories=[tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())],
    )


def _texts(entry: Any, media: DeclaredMedia) -> tuple[Any, Any]:
    """Return the details of the summary, and of the longest text.

    feedparser takes the descriptions of media for texts of the entry; they are left out if the entry has a text.
    """
    summary = entry.get("summary_detail") or {}
    texts = [each for each in (*entry.get("content", ()), summary) if (each.get("type") or "") in TEXT_TYPES]
    own = [each for each in texts if one_line(each.get("value") or "") not in {"", *media.texts}]
    if own and summary not in own:
        summary = {}
    return summary, max(own or texts, key=lambda each: len(each.get("value") or ""), default=summary)


def _base(holder: Any, url: str, *details: Any) -> str | None:
    """Return the xml:base that a feed, an entry or its text declares; None if there is none."""
    described = (*details, holder.get("summary_detail"), holder.get("title_detail"), holder.get("subtitle_detail"))
    bases = (detail.get("base") or "" for detail in described if detail)
    return next(filter(None, (web_address(base, url) for base in bases)), None)


def _title(holder: Any) -> str:
    is_html = (holder.get("title_detail") or {}).get("type") not in (None, "text/plain")
    return plain_line(holder.get("title") or "", is_html=is_html)


def _html(detail: Any) -> str:
    value = detail.get("value") or ""
    return html_from_text(value) if detail.get("type") == "text/plain" else html_from_html(value)


def _dates(entry: dict[str, Any]) -> list[str]:
    """Return the dates of publication, of creation and of the last update, as far as the feed states them."""
    return [entry.get(name) or "" for name in ("published", "created", "updated")]
