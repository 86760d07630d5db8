"""Dot stuffing: a letter's bytes as they are sent after DATA (RFC 5321 section 4.5.2)."""

from collections.abc import Sequence
from typing import NamedTuple

MAX_CACHED_LETTERS = 100  # whose shared segments are cached: those that leave at the moment

FINAL_DOT = b".\r\n"  # sent alone, it ends a letter without content


class SharedSegments(NamedTuple):
    """Facts about the segments that many letters share."""

    size: int
    is_ascii: bool
    is_dotless: bool  # no line and no segment starts with a dot


class Content(NamedTuple):
    """What follows DATA, up to and including the final dot."""

    segments: list[bytes]
    size: int  # octets before dot stuffing, as SIZE= counts them (RFC 1870 section 5)
    is_ascii: bool


class DotStuffing:
    """Stuffs dots into letters of the mail merge, whose segments are in turn shared by many letters and their own.

    The shared segments are scanned once for all letters; this is cheap because the interpreter caches the hash of a
    bytes object. Any other sequence of segments gives the right result as well, only more slowly.
    """

    def __init__(self) -> None:
        self._cached: dict[tuple[bytes, ...], SharedSegments] = {}

    def content(self, body: Sequence[bytes]) -> Content:
        """Return the content of a letter given in segments; a line may start with a dot across two of them."""
        shared = tuple(body[::2])
        facts = self._cached.get(shared) or self._scan(shared)
        own = body[1::2]
        lines = b"\n".join(own)  # so that a dot at the start of any segment is found
        size = facts.size + sum(map(len, own))
        is_ascii = facts.is_ascii and lines.isascii()
        if facts.is_dotless and _is_dotless(lines):
            ending = FINAL_DOT if _ends_line(body) else b"\r\n" + FINAL_DOT
            return Content([*body, ending], size, is_ascii)
        letter = b"".join(body)
        stuffed = (b"." if letter.startswith(b".") else b"") + letter.replace(b"\n.", b"\n..")
        return Content([stuffed, FINAL_DOT if letter.endswith(b"\r\n") else b"\r\n" + FINAL_DOT], size, is_ascii)

    def _scan(self, shared: tuple[bytes, ...]) -> SharedSegments:
        lines = b"\n".join(shared)
        facts = SharedSegments(sum(map(len, shared)), lines.isascii(), _is_dotless(lines))
        if len(self._cached) >= MAX_CACHED_LETTERS:
            self._cached.clear()
        self._cached[shared] = facts
        return facts


def _is_dotless(lines: bytes) -> bool:
    return not lines.startswith(b".") and b"\n." not in lines


def _ends_line(body: Sequence[bytes]) -> bool:
    last = body[-1] if body else b""
    return (last[-2:] if len(last) > 1 else b"".join(body)[-2:]) == b"\r\n"
