"""Entries: normalize a feed's entries to one safe form, whatever the feed's format."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice

from newsletter.content.parsing.dates.dates import first_date
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.images import picture_candidates, text_pictures
from newsletter.content.parsing.images.picture_candidates import LeadPicture, OfferedPicture, PictureSource
from newsletter.content.parsing.texts.boilerplate import without_boilerplate
from newsletter.content.parsing.texts.excerpts import title_and_summary
from newsletter.content.parsing.texts.sanitizing import one_line, plain_text, sanitize
from newsletter.content.parsing.texts.shortening import excerpt
from newsletter.content.parsing.texts.unescaping import plain_line, unescape

MAX_IDENTITY = 255
MAX_NAME = 100
MAX_AUTHORS = 200
MAX_CATEGORIES = 20
MAX_READ_CATEGORIES = 200  # that are read for these, because many repeat others


@dataclass(frozen=True, kw_only=True)
class FeedEntry:
    """One entry. `title`, `summary`, `author` and `categories` are plain text on one line; `html` is sanitized.

    `has_own_link` is False if the feed gives the entry no page and no file, so that `url` is the feed's own page.
    `has_whole_text` is True if `html` is all of the article, as far as the feed shows, rather than what it tells of it.
    """

    identity: str
    url: str | None
    title: str
    summary: str
    html: str
    has_whole_text: bool = False
    has_own_identity: bool = True  # False if the feed gave no id, so that `identity` is the link or a hash of the words
    author: str = ""
    published_at: datetime | None = None
    pictures: tuple[LeadPicture, ...] = ()  # candidates for the lead picture, the best first
    categories: tuple[str, ...] = ()
    has_own_link: bool = True


@dataclass(frozen=True, kw_only=True)
class RawEntry:
    """An entry as the feed contains it: `title` is plain text, `summary` and `content` are unsanitized HTML.

    `is_content` says that `content` stands where feeds give the whole text, not where they describe it.
    `base` is the base of relative links; in the text, only if it `is_base_declared` (xml:base), else the entry's page.
    `dates` are texts; the first that states a believable date is when the entry was published.
    """

    identity: str = ""
    links: Iterable[str] = field(default=())  # to its page, the best first
    files: Iterable[str] = field(default=())  # what it encloses, such as an episode
    home: str | None = None  # the feed's own page
    title: str = ""
    summary: str = ""
    content: str = ""
    is_content: bool = False
    base: str
    is_base_declared: bool = False
    author: str = ""
    dates: Iterable[str] = field(default=())
    pictures: Iterable[OfferedPicture] = field(default=())  # declared outside the text
    categories: Iterable[str] = field(default=())


@dataclass(frozen=True, kw_only=True)
class RawFeed:
    """A feed as its document contains it; `title` is plain text."""

    title: str
    entries: Iterable[RawEntry]
    link: str | None = None
    language: str = ""
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True)
class ParsedFeed:
    """A feed's title and its entries in the feed's order, which is newest first by convention.

    `is_complete` is False if the document was cut off, so that its last entries are unknown. `dropped` counts the
    entries without a title, a text or a link.
    """

    title: str
    entries: tuple[FeedEntry, ...]
    link: str | None = None  # the page that the feed belongs to
    language: str = ""  # as the feed declares it (BCP 47), empty if it does not
    is_complete: bool = True
    dropped: int = 0


def normalize(raw: RawEntry, *, language: str, now: datetime) -> FeedEntry | None:
    """Return the entry in its safe form; None if it has neither a title, a text nor a link and so nothing to show.

    The feed's `language` (BCP 47) and `now` decide what its dates mean.
    """
    page, file = (_first_address(links, raw.base) for links in (raw.links, raw.files))
    own, title = page or file, one_line(raw.title)
    base = raw.base if raw.is_base_declared else page or raw.base
    body = raw.content if raw.content.strip() else raw.summary
    readable = without_boilerplate(body)
    described = without_boilerplate(raw.summary) if body != raw.summary else readable
    texts = [described.lines, readable.lines] if described is not readable else [readable.lines]
    title, summary = title_and_summary(title, texts, address=_without_scheme(own))
    if not title:
        return None
    return FeedEntry(
        identity=_identity(raw, page),
        has_own_identity=bool(one_line(raw.identity)),
        url=own or raw.home,
        title=title,
        summary=summary,
        html=sanitize(readable.html, base=web_address(base)),
        # A text that is no longer than its own description is one.
        has_whole_text=raw.is_content and not readable.is_cut_off and readable.lines != described.lines,
        author=excerpt(one_line(raw.author), MAX_AUTHORS),
        published_at=first_date(raw.dates, language=language, now=now),
        pictures=_pictures(raw, base),
        categories=_categories(raw.categories),
        has_own_link=own is not None,
    )


def _first_address(links: Iterable[str], base: str) -> str | None:
    """Return the first link that is a web address. A link to a place in the feed itself is none."""
    addresses = (web_address(link, base) for link in links if not one_line(link).startswith("#"))
    return next(filter(None, addresses), None)


def _identity(raw: RawEntry, page: str | None) -> str:
    """Return the entry's own id, else its page, else a hash of its title and text."""
    identity = one_line(raw.identity) or page
    if identity and len(identity) <= MAX_IDENTITY:
        return identity
    text = plain_text(raw.summary) or plain_text(raw.content)
    return "sha256:" + hashlib.sha256((identity or f"{one_line(raw.title)}\n{text}").encode()).hexdigest()


def _without_scheme(url: str | None) -> str:
    """Return a link without its scheme: the title of an entry that has neither a title nor text."""
    return (url or "").partition("//")[2].rstrip("/")


def _categories(names: Iterable[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(excerpt(plain_line(name), MAX_NAME) for name in islice(names, MAX_READ_CATEGORIES))
    return tuple(name for name in unique if name)[:MAX_CATEGORIES]


def _pictures(raw: RawEntry, base: str) -> tuple[LeadPicture, ...]:
    texts = dict.fromkeys((raw.content, raw.summary))  # many feeds have only one text
    offered = chain(raw.pictures, *map(text_pictures.find, texts))

    def resolve(picture: OfferedPicture) -> str | None:
        start = base if picture.source is PictureSource.TEXT else raw.base
        return web_address(unescape(picture.url), start)

    return picture_candidates.choose(offered, resolve=resolve, title=one_line(raw.title), author=one_line(raw.author))
