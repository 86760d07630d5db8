"""Encode the value of a mail merge field for the place where it is inserted.

Most links, times and greetings need no encoding. Such a value may be passed as bytes, which are inserted unchanged:
`as_bytes` and `beside_to` check a value once, instead of once for every place where it appears.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from html import escape

from newsletter.mail.letters import mime, quoted_printable

# Matches most links, times and greetings: text that no place but To and Subject encodes.
UNENCODED_TEXT = re.compile(r"(?!From )[A-Za-z0-9/][A-Za-z0-9 /:.,+@_~-]{0,398}[A-Za-z0-9/,_~-]")

SIMPLE_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")  # most addresses: no header changes them
TO_LINE_BYTES = 72  # after "To:", for a name and an address on one line
CACHED_NAMES = 4096  # encoded names to keep
MAX_HEADER_VALUE = 400  # characters of a field in a header; `lay_out` checks that its line then has at most 998


class FieldKind(StrEnum):
    """How a field is encoded. The place of its marker decides. The values are stored in `variants.cuts`."""

    ADDRESS = "address"  # To: an address with its domain as A-labels, or a mailbox as `mime.mailbox` writes it
    WORDS = "words"  # Subject: text in any script
    VERBATIM = "verbatim"  # any other header: printable ASCII, never encoded
    TEXT = "text"  # the text/plain part
    HTML = "html"  # the text/html part: escaped


BODY_KINDS = (FieldKind.TEXT, FieldKind.HTML)

# A value in bytes is inserted unchanged if all places of its field belong to one of these sets.
BYTES_KINDS = ({FieldKind.VERBATIM, *BODY_KINDS}, {FieldKind.ADDRESS})


def as_bytes(value: str) -> str | bytes:
    """Return the value as bytes if no header but To and Subject, and no part, would encode it; else unchanged."""
    return value.encode("ascii") if UNENCODED_TEXT.fullmatch(value) else value


def beside_to(phrase: str, address: str) -> bytes | None:
    """Return a `mime.phrase` and an address as they follow "To:"; None if they need encoding or a second line."""
    written = f" {phrase} <{address}>"
    return written.encode("ascii") if len(written) <= TO_LINE_BYTES and SIMPLE_ADDRESS.fullmatch(address) else None


def encoded(text: str) -> bytes:
    """Return a text as encoded-words (RFC 2047), each on a continuation line of its own."""
    return "".join(f"\r\n {word}" for word in mime.encoded_words(text)).encode("ascii")


def _write_address(value: str) -> bytes:
    """Write an address after "To:", on the next line if it is too long; a mailbox takes as many lines as it needs.

    A local part that is not ASCII is not encoded (RFC 6532): only relays with SMTPUTF8 accept such a letter.
    """
    if value.endswith(">") and mime.MAILBOX.fullmatch(value):
        return "\r\n".join(mime.lines("To:", value.split(" ")))[len("To:") :].encode("ascii")
    if "=?" in value or not mime.ADDRESS.fullmatch(value):
        raise ValueError("not an address")
    return (b" " if len(value) <= mime.LINE_LENGTH - len("To: ") else b"\r\n ") + value.encode()


def _write_words(value: str) -> bytes:
    if mime.CONTROLS.search(value):
        raise ValueError("a control character is not allowed in a header")
    return encoded(mime.on_one_line(value))


def _write_verbatim(value: str) -> bytes:
    if len(value) > MAX_HEADER_VALUE or "=?" in value or not mime.VERBATIM.fullmatch(value):
        raise ValueError(f"this header takes at most {MAX_HEADER_VALUE} printable ASCII characters, not encoded")
    return value.encode("ascii")


def _write_html(value: str) -> bytes:
    return quoted_printable.encode(escape(value))


WRITERS: dict[FieldKind, Callable[[str], bytes]] = {
    FieldKind.ADDRESS: _write_address,
    FieldKind.WORDS: _write_words,
    FieldKind.VERBATIM: _write_verbatim,
    # Most other values arrive as bytes, so these two mainly encode names, and many readers share a name.
    FieldKind.TEXT: lru_cache(CACHED_NAMES)(quoted_printable.encode),
    FieldKind.HTML: lru_cache(CACHED_NAMES)(_write_html),
}
