"""Feed addresses as people write them: which web addresses are meant, and which two are the same feed."""

import re
from urllib.parse import urlsplit

from newsletter.content.parsing.authorities import authority
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.errors import Malformed

SUBSCRIBING_SCHEMES = ("feed", "rss", "itpc", "pcast")  # of links that open a feed reader: feed:https://..., feed://...
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?!\d)", re.IGNORECASE)  # a digit follows a host's colon: example.org:8080
LOCAL = re.compile(r"localhost|\[[0-9a-f:.]+\]|[^.]+:\d+", re.IGNORECASE)  # hosts that need no dot
ESCAPED = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def candidates(text: str) -> tuple[str, ...]:
    """Return the web addresses that a person may mean, the likeliest first. Raises Malformed if there is none.

    Without a scheme, or with one that only opens a feed reader, https is likelier than http.
    """
    written = text.strip()
    if not written:
        raise Malformed("url", "Enter the address of a feed, like https://example.org/feed.xml.")
    for scheme in SUBSCRIBING_SCHEMES:
        if written.lower().startswith(f"{scheme}:"):
            written = written[len(scheme) + 1 :]
            break
    match = SCHEME.match(written)
    bare = written.lstrip("/")
    meant = (written,) if match else (f"https://{bare}", f"http://{bare}") if _has_host(bare) else ()
    if any(without_userinfo(url) != url for url in (written, *meant)):  # a password would reach readers and logs
        raise Malformed("url", "Remove the user name and password from the address; only public feeds can be read.")
    if match and match[1].lower() not in ("http", "https"):
        raise Malformed("url", f"Feeds are read from http and https addresses, not from “{match[1][:20]}:”.")
    found = tuple(address for url in meant if (address := web_address(url)))
    if not found:
        raise Malformed("url", f"“{text}” is not a web address such as https://example.org/feed.xml.")
    return found


def same_feed_key(url: str) -> str:
    """Return a key that the spellings of one address share (RFC 3986 section 6.2.2).

    Scheme, default ports, the host's case, last dot and encoding, escaped letters, a trailing slash and the fragment do
    not count: no known site serves different feeds at addresses that differ only in these.
    """
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return authority(parts) + ESCAPED.sub(_escape, parts.path).rstrip("/") + ESCAPED.sub(_escape, query)


def _has_host(bare: str) -> bool:
    host = re.split(r"[/?#]", bare, maxsplit=1)[0]
    return "." in host.strip(".") or LOCAL.match(host) is not None


def _escape(escaped: re.Match[str]) -> str:
    """Return the character if it needs no escape, else the escape in capitals."""
    character = chr(int(escaped[0][1:], 16))
    return character if UNRESERVED.fullmatch(character) else escaped[0].upper()
