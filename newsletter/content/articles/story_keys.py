"""Story keys: the facts by which an entry of a feed is recognized as an article. Pure."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.content.articles.canonical_links import canonical, without_host
from newsletter.content.parsing.entries import MAX_IDENTITY, FeedEntry

MIN_TEXT = 30  # letters, digits and single spaces: a shorter text does not tell one story from another
TAG = re.compile(r"<[^>]*>")
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
SITE_NAME = re.compile(r"\s[-|\u2013\u2014\u00b7]\s(?:(?!\s[-|\u2013\u2014\u00b7]\s).)*$")
NO_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, kw_only=True)
class StoryKeys:
    """The keys of one entry or article. None: unknown, or shared by several stories.

    `link` is set only if the link is this story's alone, `page` for every link that is no front page. `link`, `page`,
    `path` and `text` are SHA-256 in hexadecimal. Only with `is_text_alone` does no other story have the same text.
    """

    identity: str | None
    link: str | None = None
    page: str | None = None
    path: str | None = None  # the link without its host
    text: str | None = None  # the text without the title, if there is enough of it
    is_text_alone: bool = False
    title: str = ""  # its letters and digits in lower case
    headline: str = ""  # the title without the name of the site that an aggregator adds: “The bus is late - Press”
    date: datetime | None = None  # to the minute


def entry_keys(entry: FeedEntry) -> StoryKeys:
    """Return the keys of an entry by itself; `recognition.distinct` removes those that several entries share.

    An identity that is the link or the title says no more than these do, so it is left out. The page of the feed,
    which serves an entry without a page of its own, names no story.
    """
    url = entry.url if entry.has_own_link else None
    title = normalized(entry.title)
    is_identity = (entry.has_own_identity or not url) and normalized(entry.identity) != title
    return StoryKeys(
        identity=comparable(entry.identity) if is_identity else None,
        **link_keys(url),
        text=text_key(entry.summary, entry.html),
        title=title,
        headline=headline(entry.title),
        date=minute(entry.published_at),
    )


def link_keys(url: str | None) -> dict[str, Any]:
    """Return `link`, `page` and `path` of a URL. The front page of a site names no story and has none."""
    path = without_host(url) if url else ""
    page = _hash(canonical(url)) if url and path else None
    return {"link": page, "page": page, "path": _hash(path) if path else None}


def text_key(summary: str, html: str) -> str | None:
    """Return the hash of a text, which survives changes of markup, case and punctuation.

    The text is the summary, which ends before the boilerplate of a site begins; the whole text if that is too short.
    """
    words = normalized(summary)
    if len(words) < MIN_TEXT:
        words = normalized(TAG.sub(" ", html))
    return _hash(words) if len(words) >= MIN_TEXT else None


def comparable(identity: str) -> str:
    """Return an identity in the form in which it is compared: of one that is a web address, the canonical link.

    A site that changes its scheme or its host changes its ids with it; others put the reader's session into them.
    """
    address = canonical(identity) if ADDRESS.match(identity) else identity
    return address if len(address) <= MAX_IDENTITY else _hash(address)


def normalized(text: str) -> str:
    """Return the letters and digits of a text in lower case, with single spaces; the text itself if it has none."""
    return NO_WORDS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip() or text.strip()


def headline(title: str) -> str:
    """Return a title without its last part, which may name a site, as `normalized` does; all of it if it has one."""
    return normalized(SITE_NAME.sub("", title))


def minute(moment: datetime | None) -> datetime | None:
    """Return a time to the minute: some feeds give seconds, and others of the same site do not."""
    return moment.replace(second=0, microsecond=0) if moment else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
