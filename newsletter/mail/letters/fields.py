"""Fields: how a reader's value is written where its marker stood, encoded or as it is.

What needs no encoding, as most links, times and greetings do not, may be given in octets: `plainly` and `beside_to` say
which do, once, and nothing is asked of the value again at each of its places.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from html import escape

from newsletter.mail.letters import mime, quoted_printable

# Most links, times and greetings: nothing in them is encoded anywhere but in To and Subject.
PLAIN = re.compile(r"(?!From )[A-Za-z0-9/][A-Za-z0-9 /:.,+@_~-]{0,398}[A-Za-z0-9/,_~-]")

SIMPLE = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")  # most addresses: what no kind of header would change
BESIDE_TO = 72  # octets of that line behind "To:"
NAMES = 4096  # that are remembered as they are written
LONGEST_VALUE = 400  # octets of a field in a header line; lay_out sees to it that the line then has at most 998


class FieldKind(StrEnum):
    """How a field is written; where its marker stands decides."""

    ADDRESS = "address"  # To: an address, its domain as A-labels; a name before it as mime.mailbox writes it
    WORDS = "words"  # Subject: text in any script
    VERBATIM = "verbatim"  # any other header: printable ASCII, never encoded
    TEXT = "text"  # the text/plain part
    HTML = "html"  # the text/html part: escaped


IN_PARTS = (FieldKind.TEXT, FieldKind.HTML)
UNENCODED = (
    {FieldKind.VERBATIM, *IN_PARTS},
    {FieldKind.ADDRESS},
)  # kinds that write a value given in octets without encoding it


def plainly(value: str) -> str | bytes:
    """The value in octets, if nothing in it is encoded in any header but To and Subject, nor in any part."""
    return value.encode("ascii") if PLAIN.fullmatch(value) else value


def beside_to(phrase: str, address: str) -> bytes | None:
    """A `mime.phrase` and an address as they stand behind "To:", if that is a simple one and both fit on its line."""
    written = f" {phrase} <{address}>"
    return written.encode("ascii") if len(written) <= BESIDE_TO and SIMPLE.fullmatch(address) else None


def encoded(text: str) -> bytes:
    """A text in encoded-words, each on a continuation line of its own."""
    return "".join(f"\r\n {word}" for word in mime.encoded_words(text)).encode("ascii")


def _write_address(value: str) -> bytes:
    """An address beside "To:", or below it where it is too long for that; with a name, in as many lines as it needs.

    A local part that is not ASCII stands as it is (RFC 6532): such a letter goes to relays with SMTPUTF8 only.
    """
    if value.endswith(">") and mime.MAILBOX.fullmatch(value):
        return "\r\n".join(mime.lines("To:", value.split(" ")))[len("To:") :].encode("ascii")
    if "=?" in value or not mime.ADDRESS.fullmatch(value):
        raise ValueError("this is not an address")
    return (b" " if len(value) <= mime.LINE - len("To: ") else b"\r\n ") + value.encode()


def _write_words(value: str) -> bytes:
    if mime.CONTROLS.search(value):
        raise ValueError("it has a control character, and stands in a header")
    return encoded(mime.folded(value))


def _write_verbatim(value: str) -> bytes:
    if len(value) > LONGEST_VALUE or "=?" in value or not mime.VERBATIM.fullmatch(value):
        raise ValueError(f"in this header it is printable ASCII, at most {LONGEST_VALUE} characters, and not encoded")
    return value.encode("ascii")


def _write_html(value: str) -> bytes:
    return quoted_printable.encode(escape(value))


WRITERS: dict[FieldKind, Callable[[str], bytes]] = {
    FieldKind.ADDRESS: _write_address,
    FieldKind.WORDS: _write_words,
    FieldKind.VERBATIM: _write_verbatim,
    # What gets here is names for the most part, as most else is written plainly; and readers share theirs with others.
    FieldKind.TEXT: lru_cache(NAMES)(quoted_printable.encode),
    FieldKind.HTML: lru_cache(NAMES)(_write_html),
}
