"""Stuffing: a letter's bytes as they go over the wire (RFC 5321 section 4.5.2)."""

from collections.abc import Sequence
from typing import NamedTuple

KNOWN = 100  # letters whose shared pieces are remembered: those that leave at the moment

END = b".\r\n"  # the final dot; after nothing it ends a letter that has no content


class Shape(NamedTuple):
    """What is known of the pieces that many letters share."""

    size: int
    is_ascii: bool
    is_plain: bool  # no dot in them could stand at the start of a line


class Content(NamedTuple):
    """What follows DATA, up to and with the final dot."""

    pieces: list[bytes]
    size: int  # octets without the stuffing, as SIZE= counts them (RFC 1870 section 5)
    is_ascii: bool


class DotStuffing:
    """Stuffs dots into letters that mail merge made: pieces in turns, one that many letters share and one of its own.

    The shared ones are looked at once, for all of them: the interpreter keeps the hash of a bytes object. Any other
    letter comes out right as well, only not as fast.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], Shape] = {}

    def content(self, body: Sequence[bytes]) -> Content:
        """A letter that is given in pieces; a dot between two of them counts as well."""
        shared = tuple(body[::2])
        shape = self._known.get(shared) or self._examine(shared)
        own = body[1::2]
        lines = b"\n".join(own)  # so that a dot at the start of any of them is seen
        size = shape.size + sum(map(len, own))
        is_ascii = shape.is_ascii and lines.isascii()
        if shape.is_plain and _is_plain(lines):
            ending = END if _ends_line(body) else b"\r\n" + END
            return Content([*body, ending], size, is_ascii)
        letter = b"".join(body)
        stuffed = (b"." if letter.startswith(b".") else b"") + letter.replace(b"\n.", b"\n..")
        return Content([stuffed, END if letter.endswith(b"\r\n") else b"\r\n" + END], size, is_ascii)

    def _examine(self, shared: tuple[bytes, ...]) -> Shape:
        lines = b"\n".join(shared)
        shape = Shape(sum(map(len, shared)), lines.isascii(), _is_plain(lines))
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[shared] = shape
        return shape


def _is_plain(lines: bytes) -> bool:
    return not lines.startswith(b".") and b"\n." not in lines


def _ends_line(body: Sequence[bytes]) -> bool:
    last = body[-1] if body else b""
    return (last[-2:] if len(last) > 1 else b"".join(body)[-2:]) == b"\r\n"
