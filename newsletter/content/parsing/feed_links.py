"""Find the page of an entry: its link, else its permalink, else its file, else the page of its channel."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from newsletter.content.parsing.texts.sanitizing import one_line, without_userinfo

MAX_URL = 2000
PAGE_TYPES = ("text/html", "application/xhtml+xml", "")
WITHOUT_SCHEME = re.compile(r"www\.[a-z0-9-]+\.[a-z0-9.-]+(?:[/?#:]|$)", re.IGNORECASE)


def web_address(link: str, base: str = "") -> str | None:
    """Return the link as an absolute http or https URL without user and password; None if it is no such URL."""
    link = one_line(link).replace(" ", "%20")
    if "<" in link:  # markup in place of an address
        return None
    if WITHOUT_SCHEME.match(link):
        link = f"http://{link}"
    try:
        url = without_userinfo(urljoin(base, link))
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return url if link and parts.scheme in ("http", "https") and parts.hostname and len(url) <= MAX_URL else None


def of_entry(entry: Any) -> Iterator[str]:
    """Yield the addresses of the page of an entry that feedparser has read, as the feed writes them, the best first."""
    # FeedBurner's link counts the reader and leads to this one.
    yield entry.get("feedburner_origlink") or ""
    yield from _alternates(entry)
    link, identity = entry.get("link") or "", entry.get("id") or ""
    if link and link != identity:
        yield link
    if entry.get("guidislink") and "://" in identity:
        yield identity


def of_file(entry: Any) -> Iterator[str]:
    """Yield the addresses of what the entry encloses: an episode, a film, a document."""
    for link in entry.get("links", ()):
        if link.get("rel") == "enclosure":
            yield link.get("href") or link.get("url") or ""
    for media in entry.get("media_content", ()):
        yield media.get("url") or ""


def of_channel(feed: Any) -> Iterator[str]:
    """Yield the addresses of the feed's own page."""
    yield from _alternates(feed)
    yield feed.get("link") or ""


def _alternates(holder: Any) -> list[str]:
    alternates = [link for link in holder.get("links", ()) if link.get("rel") == "alternate" and link.get("href")]
    alternates.sort(key=lambda link: (link.get("type") or "") not in PAGE_TYPES)
    return [link["href"] for link in alternates]
