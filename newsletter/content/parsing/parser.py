"""Parse RSS, Atom, RDF and JSON Feed to entries. Pure; `downloading` limits its time and memory."""

import calendar
import html as markup
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html.entities import name2codepoint
from itertools import islice
from typing import Any

import feedparser

from newsletter.content.parsing import declared_pictures, json_feed, web_pages
from newsletter.content.parsing.declared_pictures import DeclaredMedia
from newsletter.content.parsing.decoding import FeedUnreadable, decode, strip_prolog
from newsletter.content.parsing.entries import ParsedFeed, RawEntry, normalize, web_address
from newsletter.content.parsing.sanitizing import UNSTORABLE, one_line, plain_text

MAX_ENTRIES = 2000
# HTML's named entities, which XML knows only from a document type, without those that XML predefines.
HTML_ENTITY = re.compile("&(" + "|".join(name2codepoint.keys() - {"lt", "gt", "amp", "quot"}) + ");")
MAX_AUTHOR = 500
MAILBOX = re.compile(r"[(<\[]?[^\s@()<>]+@[^\s@()<>]+[)>\]]?")
SLASHED_DATE = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?: (\d{1,2}):(\d{2}):(\d{2}))?")


def parse(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Parse a feed fetched from `url`; several entries may have the same identity. Raises FeedUnreadable."""
    text = UNSTORABLE.sub(" ", decode(body, content_type))
    if page := web_pages.explain(text, url=url):
        raise FeedUnreadable(page)
    title, raws = json_feed.read(text, url) if json_feed.is_json(text) else _read_xml(text, url)
    entries = filter(None, map(normalize, islice(raws, MAX_ENTRIES)))
    return ParsedFeed(title=title, entries=tuple(entries))


def _read_xml(text: str, url: str) -> tuple[str, Iterable[RawEntry]]:
    document = HTML_ENTITY.sub(lambda entity: chr(name2codepoint[entity[1]]), strip_prolog(text))
    stream = io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>\n' + document.encode())
    try:
        # `entries` resolves links and sanitizes HTML once, more strictly than feedparser does.
        parsed = feedparser.parse(stream, resolve_relative_uris=False, sanitize_html=False)
    except Exception as error:  # a badly broken document makes feedparser raise many kinds of errors
        raise FeedUnreadable("The document is broken XML and cannot be parsed.") from error
    if not parsed.version and not parsed.entries:
        raise FeedUnreadable("The document is XML, but not a feed.")
    media = _media(parsed.entries, stream.getvalue())
    return _title(parsed.feed), (_raw(entry, url, each) for entry, each in zip(parsed.entries, media, strict=False))


def _media(entries: Sequence[Any], document: bytes) -> Iterator[DeclaredMedia]:
    """Yield what each entry declares outside its text."""
    read = declared_pictures.read(document, limit=MAX_ENTRIES)
    declared = read if len(read) <= len(entries) else []  # the two readers disagree on what an entry is
    yield from declared
    yield from (declared_pictures.from_feedparser(entry) for entry in entries[len(declared) :])


def _raw(entry: Any, url: str, media: DeclaredMedia) -> RawEntry:
    summary, content = _texts(entry, media)
    return RawEntry(
        identity=entry.get("id") or "",
        link=_link(entry),
        title=_title(entry),
        summary=_html(summary),
        content=_html(content),
        base=web_address(content.get("base") or "", url) or url,
        author=_author(entry),
        published_at=_published(entry),
        pictures=media.pictures,
        categories=[tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())],
    )


def _texts(entry: Any, media: DeclaredMedia) -> tuple[Any, Any]:
    """Return the details of the summary and of the content.

    feedparser takes the descriptions of media for texts of the entry; they are left out if the entry has a text.
    """
    summary = entry.get("summary_detail") or {}
    contents = [each for each in entry.get("content", ()) if each.get("value")]
    own = [each for each in (summary, *contents) if one_line(each.get("value") or "") not in {"", *media.texts}]
    if own:
        summary = summary if summary in own else {}
        contents = [each for each in contents if each in own]
    return summary, next(iter(contents), summary)


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


def _published(entry: Any) -> datetime | None:
    """Return the time of publication, else of creation, else of the last update.

    Uses plain `dict.get`: feedparser's own `get` returns `published` for a missing `updated`.
    """
    slashed = SLASHED_DATE.fullmatch(dict.get(entry, "published") or "")
    parsed = (dict.get(entry, f"{name}_parsed") for name in ("published", "created", "updated"))
    parts = [int(part or 0) for part in slashed.groups()] if slashed else next(filter(None, parsed), None)
    try:
        return datetime.fromtimestamp(calendar.timegm((*parts, 0, 0, 0)[:9]), UTC) if parts else None
    except (ValueError, OverflowError, OSError):
        return None
