"""Stuffing: a letter's bytes as they go over the wire (RFC 5321 section 4.5.2)."""

from collections.abc import Sequence
from typing import NamedTuple

LONG = 200  # octets; what is shorter is a reader's own, and examined faster than looked up
KNOWN = 1000  # long pieces that are remembered: those of the letters that leave at the moment

END = b".\r\n"  # also what ends a letter that has no content


class Piece(NamedTuple):
    """A piece of a letter, examined."""

    stuffed: bytes
    has_first_dot: bool
    ends_line: bool
    is_ascii: bool


class Content(NamedTuple):
    """What follows DATA, up to and with the final dot."""

    pieces: list[bytes]
    size: int  # octets without the stuffing, as SIZE= counts them (RFC 1870 section 5)
    is_ascii: bool


class Stuffing:
    """Stuffs dots. A long piece, shared by all readers' letters, is examined once; its hash is the interpreter's."""

    def __init__(self) -> None:
        self._known: dict[bytes, Piece] = {}

    def content(self, body: Sequence[bytes]) -> Content:
        """A letter that is given in pieces; a dot between two of them counts as well."""
        pieces: list[bytes] = []
        size, is_ascii, at_start = 0, True, True
        known = self._known
        for given in body:
            if not given:
                continue
            size += len(given)
            piece = (known.get(given) if len(given) >= LONG else None) or self._examine(given)
            stuffed, has_first_dot, ends_line, plain = piece
            if at_start and has_first_dot:
                pieces.append(b".")
            pieces.append(stuffed)
            is_ascii &= plain
            at_start = ends_line
        pieces.append(END if _tail(pieces) == b"\r\n" else b"\r\n" + END)
        return Content(pieces, size, is_ascii)

    def _examine(self, given: bytes) -> Piece:
        raw = bytes(given)
        stuffed = raw.replace(b"\n.", b"\n..") if b"\n." in raw else raw
        piece = Piece(stuffed, raw.startswith(b"."), raw.endswith(b"\n"), raw.isascii())
        if len(raw) >= LONG:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[raw] = piece
        return piece


def _tail(pieces: list[bytes]) -> bytes:
    """The last two octets, in however many pieces."""
    tail = b""
    for piece in reversed(pieces):
        tail = piece[-2:] + tail
        if len(tail) > 1:
            break
    return tail[-2:]
