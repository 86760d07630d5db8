"""Entries: normalize a feed's entries to one safe form, whatever the feed's format."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from newsletter.content.parsing.dates import first_date
from newsletter.content.parsing.sanitizing import (
    bounded,
    excerpt,
    one_line,
    plain_text,
    sanitize,
    without_userinfo,
)

MAX_IDENTITY = 255
MAX_URL = 2000
MAX_TITLE = 300
MAX_TITLE_FROM_TEXT = 80
MAX_SUMMARY = 280
MAX_NAME = 100
MAX_CATEGORIES = 20
MIN_PICTURE_SIDE = 100  # pixels; an image that declares less is an icon or a tracking pixel


@dataclass(frozen=True, kw_only=True)
class LeadPicture:
    """The URL of an article's lead picture, and its text alternative."""

    url: str
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class FeedEntry:
    """One entry. `title`, `summary`, `author` and `categories` are plain text on one line; `html` is sanitized."""

    identity: str
    url: str | None
    title: str
    summary: str
    html: str
    author: str = ""
    published_at: datetime | None = None
    pictures: tuple[LeadPicture, ...] = ()  # candidates for the lead picture, the best first
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RawEntry:
    """An entry as the feed contains it: `title` is plain text, `summary` and `content` are unsanitized HTML.

    `base` is the base of relative links: the entry's xml:base, else the feed's own address. `dates` are texts; the
    first that states a believable date is when the entry was published.
    """

    identity: str = ""
    link: str = ""
    title: str = ""
    summary: str = ""
    content: str = ""
    base: str
    author: str = ""
    dates: Iterable[str] = field(default=())
    picture: str = ""
    categories: Iterable[str] = field(default=())


@dataclass(frozen=True, kw_only=True)
class ParsedFeed:
    """A feed's title and its entries in the feed's order, which is newest first by convention.

    `is_complete` is False if the document was cut off, so that its last entries are unknown.
    """

    title: str
    entries: tuple[FeedEntry, ...]
    link: str | None = None  # the page that the feed belongs to
    language: str = ""  # as the feed declares it (BCP 47), empty if it does not
    is_complete: bool = True


def normalize(raw: RawEntry, *, language: str, now: datetime) -> FeedEntry | None:
    """Return the entry in its safe form; None if it has neither a title nor a link and so nothing to show.

    The feed's `language` (BCP 47) and `now` decide what its dates mean.
    """
    url, title = web_address(raw.link, raw.base), one_line(raw.title)
    if not (url or title):
        return None
    body = raw.content if raw.content.strip() else raw.summary
    text = plain_text(raw.summary) or plain_text(body)
    made_title = "" if title else excerpt(text, MAX_TITLE_FROM_TEXT)
    return FeedEntry(
        identity=_identity(raw, url, title, text),
        url=url,
        title=excerpt(title, MAX_TITLE) or made_title or excerpt(_without_scheme(url), MAX_TITLE),
        summary=excerpt(_after(made_title, text), MAX_SUMMARY),
        html=sanitize(body, base=web_address(raw.base)),
        author=excerpt(one_line(raw.author), MAX_NAME),
        published_at=first_date(raw.dates, language=language, now=now),
        pictures=tuple(filter(None, [_picture(raw, body)])),
        categories=_categories(raw.categories),
    )


def web_address(link: str, base: str = "") -> str | None:
    """Return the link as an absolute http or https URL without user and password; None if it is no such URL."""
    try:
        url = without_userinfo(urljoin(base, one_line(link).replace(" ", "%20")))
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return url if link and parts.scheme in ("http", "https") and parts.hostname and len(url) <= MAX_URL else None


def _after(made_title: str, text: str) -> str:
    """Return the rest of the text if its beginning became the title, so that readers do not see it twice."""
    return text[len(made_title.removesuffix("…")) :].lstrip(" ,;:.-\u2013…") if made_title else text


def _identity(raw: RawEntry, url: str | None, title: str, text: str) -> str:
    """Return the entry's own id, else its link, else a hash of its title and text."""
    identity = one_line(raw.identity) or url
    if identity and len(identity) <= MAX_IDENTITY:
        return identity
    return "sha256:" + hashlib.sha256((identity or f"{title}\n{text}").encode()).hexdigest()


def _without_scheme(url: str | None) -> str:
    """Return a link without its scheme: the title of an entry that has neither a title nor text."""
    return (url or "").partition("//")[2].rstrip("/")


def _categories(names: Iterable[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(excerpt(one_line(name), MAX_NAME) for name in names)
    return tuple(name for name in unique if name)[:MAX_CATEGORIES]


def _picture(raw: RawEntry, body: str) -> LeadPicture | None:
    """Return the picture that the feed declares for the entry, else the first in its text that is not tiny."""
    if declared := web_address(raw.picture, raw.base):
        return LeadPicture(url=declared)
    for image in LexborHTMLParser(bounded(body)).css("img[src]") if "<img" in body.lower() else ():
        source = web_address(image.attributes["src"] or "", raw.base)
        if source and not _is_tiny(image):
            return LeadPicture(url=source, alt=excerpt(one_line(image.attributes.get("alt") or ""), MAX_TITLE))
    return None


def _is_tiny(image: LexborNode) -> bool:
    sizes = [image.attributes.get(side) or "" for side in ("width", "height")]
    return any(size.isdecimal() and int(size) < MIN_PICTURE_SIDE for size in sizes)
