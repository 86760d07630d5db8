"""Hostile feeds: bodies that cost time or memory and yield little. Each is a member of a kind, made here."""

import gzip
import zlib
from itertools import repeat
from typing import Any

ENDLESS = 10_000  # parts of a body that nobody reads to its end

GZIP = b"\x1f\x8b\x08\x00\0\0\0\0\0\xff"  # RFC 1952 section 2.3: a header without optional fields
GZIP_WITH_NAME = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"  # a header with a file name, which ends with a zero octet
EMPTY_BLOCK = b"\0\0\0\xff\xff"  # RFC 1951 section 3.2.4: a stored block of no octets

MANY_ITEMS = b"<rss><channel>" + b"<item><title>a</title></item>" * 170_000 + b"</channel></rss>"
UNCLOSED = b"<rss><channel><item><title>a</title><description>" + b"<a<" * 1_600_000 + b"</description>&</item>"
MANY_OBJECTS = b'{"version": "https://jsonfeed.org/version/1", "items": [' + b"{}," * 1_600_000 + b"{}]}"
# The base of every element is kept: hundreds of megabytes in a second.
LONG_BASE = b'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://press.example/' + b"a" * 4_000_000 + b'">'
LONG_BASE += b"<entry><title>a</title></entry>" * 300 + b"</feed>"


def slow() -> dict[str, Any]:
    """Return a reply that comes byte by byte."""
    return {"body": [b"<"] * ENDLESS, "pause": 0.1}


def coded(body: Any, coding: str) -> dict[str, Any]:
    """Return a reply with this content coding."""
    return {"body": body, "headers": {"Content-Encoding": coding}}


def nested_gzip(layers: int) -> bytes:
    """Return a name that never ends, compressed so many times: few octets, of which no one ever comes out."""
    unit, head = b"a" * (1 << 20), GZIP_WITH_NAME
    for _ in range(layers):
        unit, head = _deflated(unit), GZIP + _deflated(head)
        unit *= max(1, (1 << 20) // len(unit))
    return head + unit


def _deflated(octets: bytes) -> bytes:
    """Return a raw deflate stream that ends on an octet and refers to nothing before it."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(octets) + compressor.flush(zlib.Z_FULL_FLUSH)


def without_output() -> dict[str, dict[str, Any]]:
    """Return replies that are long, or cost much, and yield no octet, by name."""
    return {
        "a name in four codings": coded(nested_gzip(3), ", ".join(["gzip"] * 4)),
        "a name without end": coded([GZIP_WITH_NAME, *repeat(b"a" * 100_000, ENDLESS)], "gzip"),
        "empty members": coded([gzip.compress(b"") * 5000] * ENDLESS, "gzip"),
        "empty blocks": coded([GZIP, *repeat(EMPTY_BLOCK * 20_000, ENDLESS)], "gzip"),
        "empty deflate blocks": coded([b"\x78\x9c", *repeat(EMPTY_BLOCK * 20_000, ENDLESS)], "deflate"),
    }
