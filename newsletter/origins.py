"""Origins (RFC 6454): which site an address belongs to, written in one way however it was entered."""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from newsletter import iris
from newsletter.errors import Malformed
from newsletter.plain_text import shown
from newsletter.relays import is_loopback

DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_ORIGIN_CHARACTERS = 255
MAX_URL_CHARACTERS = 2000
# Programs disagree about where a host ends before a backslash or a control character; the others end a URL in text.
DOUBTFUL = re.compile(r'[\s\x00-\x1f\x7f-\x9f\\<>"`]')
BARE = re.compile(r"[^/?#:@]+\.[^/?#:@]+(?:[/?#]|:\d|$)")  # www.example.org:8443/page
HOST_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")


class Origin(NamedTuple):
    """Scheme, host and port. Two are equal if a browser would call them the same, but for the dot behind a host."""

    scheme: str
    host: str  # in lower case, an international name as A-labels, IPv6 in brackets, without the dot of the DNS root
    port: int

    def __str__(self) -> str:
        """Return it as browsers do, without the port that its scheme has anyway (RFC 6454 section 6.2)."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine (RFC 6761 section 6.3)."""
        return is_loopback(self.host.strip("[]")) or self.host.endswith(".localhost")


def parse(url: str) -> Origin | None:
    """Return the origin of an http or https address; None for any other.

    Also for one that names a user, that programs read in different ways, or that is longer than MAX_URL_CHARACTERS.
    """
    return _parse(url) if len(url) <= MAX_URL_CHARACTERS else None


@lru_cache(maxsize=512)  # each sign-up asks several times for the same few
def _parse(url: str) -> Origin | None:
    if DOUBTFUL.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    host = _host(host)
    if parts.scheme not in DEFAULT_PORTS or not host or port == 0 or "@" in parts.netloc:
        return None
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])


def origin_of(url: str) -> str:
    """Return the origin of a site, such as https://www.example.org, from the address of the site or any of its pages.

    An address without a scheme is understood as https. Raises Malformed, naming "origin", with a message for operators;
    also for http, unless it is on this machine.
    """
    url = url.strip()
    origin = parse(f"https://{url}" if BARE.match(url[:MAX_URL_CHARACTERS]) else url)
    if origin is None or len(str(origin)) > MAX_ORIGIN_CHARACTERS:
        raise Malformed("origin", f"“{shown(url)}” is not the address of a site, such as https://www.example.org.")
    if origin.scheme == "http" and not origin.is_loopback:
        raise Malformed(
            "origin", f"“{shown(url)}” is not encrypted: others could change the form on its way. Use https://."
        )
    return str(origin)


def page_url(url: str) -> str | None:
    """Return the address of a page as a URI, its host in its one spelling; None where `parse` returns None."""
    url = url.strip()
    origin = parse(url)
    if origin is None:
        return None
    scheme, netloc = str(origin).split("://")
    return iris.uri(urlunsplit(urlsplit(url)._replace(scheme=scheme, netloc=netloc)))


def _host(written: str) -> str:
    """Return a host in its one spelling; "" if it is none."""
    name = written.lower().removesuffix(".")
    try:
        address = ip_address(name)
    except ValueError:
        ascii_name = name if name.isascii() else iris.ascii_host(name)
        return ascii_name if len(ascii_name) <= iris.MAX_HOST and HOST_NAME.fullmatch(ascii_name) else ""
    return f"[{address}]" if address.version == 6 else str(address)
