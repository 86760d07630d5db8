"""Decode the bytes of a feed to text, as browsers do, and survive charsets that are declared wrongly."""

import codecs
import re

from newsletter.content.parsing.documents import charset_detection, charsets
from newsletter.errors import NewsletterError

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, because it begins with UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Which of four bytes are zero in most of the ASCII characters.
WIDE = {
    "utf-32-le": (False, True, True, True),
    "utf-32-be": (True, True, True, False),
    "utf-16-le": (False, True, False, True),
    "utf-16-be": (True, False, True, False),
}
UTF8_MARKS = re.compile(rb"(?:\xef\xbb\xbf)+")  # some programs write it twice
WRONG_MARK = re.compile(rb"\xff\xfe|\xfe\xff")
HEAD = 1024  # bytes in which the zeros of UTF-16 and UTF-32 are counted; a multiple of four
REPLACEMENT = "\ufffd"
MIN_UTF8_SEQUENCES = 4  # fewer may also be the text of an East Asian charset
MIN_UTF8_SHARE = 4  # valid sequences for each invalid byte, in a document that is UTF-8 with faults
MIN_LEGACY_SHARE = 20  # other characters beyond ASCII for each byte that the declared charset does not know
MAX_REPAIRS = 2000
BEGINNINGS = {*range(0xC0, 0xE0), 0xE2, 0xE3, 0xF0}  # bytes with which characters of UTF-8 begin in Western text
NEVER_WESTERN = {0xFF}
UTF8 = codecs.getincrementaldecoder("utf-8")
ESCAPED = re.compile(r"[\udc80-\udcff]+")  # bytes that are not UTF-8, as Python's surrogateescape keeps them


class FeedUnreadable(NewsletterError):
    """The document cannot be read as a feed: it is none, is broken, or takes too much time or memory."""


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of a document, without its byte order mark.

    The charset is what the mark says, else the HTTP header, else the XML declaration. Bytes that are clearly UTF-8 or
    clearly not overrule the last two, and so does a declaration that fits better than the header's windows-1252, which
    servers send by default. Without any of them, the charset is guessed. Never raises; bytes that mean
    nothing become U+FFFD.
    """
    if wide := _wide(body):
        return body.decode(wide, "replace").lstrip("\ufeff")
    body = WRONG_MARK.sub(b"", body[:2]) + body[2:]
    named = list(charsets.declared(body, content_type))
    if marks := UTF8_MARKS.match(body):
        named.insert(0, "utf-8")
        body = body[marks.end() :]
    text, faults = _utf8(body)
    sequences = _non_ascii(text) - faults
    enough = MIN_UTF8_SEQUENCES if charsets.OF_SEVERAL_BYTES.intersection(named) else 1
    if sequences >= enough and sequences >= MIN_UTF8_SHARE * faults:
        return _repaired(body, text, faults)
    for codec in charset_detection.likelier(body, named):
        if codec != "utf-8":
            decoded = body.decode(codec, "replace")
            if decoded.count(REPLACEMENT) * MIN_LEGACY_SHARE <= _non_ascii(decoded):
                return decoded
        elif sequences > faults // 2:
            return _repaired(body, text, faults)
    if faults and sequences <= faults // 2:
        return body.decode(charset_detection.detect(body), "replace")
    return _repaired(body, text, faults)


def _wide(body: bytes) -> str | None:
    """Return the codec of UTF-16 or UTF-32, by its mark or by the zeros beside ASCII characters; None for any other."""
    head = body[:HEAD]
    if b"\0" not in head:  # whatever its mark says: the markup of UTF-16 has zeros
        return None
    for mark, codec in MARKS:
        if body.startswith(mark):
            return codec
    zeros = [4 * head[at::4].count(0) / len(head) for at in range(4)]
    for codec, are_zero in WIDE.items():
        if all(share > 0.3 if is_zero else share < 0.05 for share, is_zero in zip(zeros, are_zero, strict=True)):
            return codec
    return None


def _utf8(body: bytes) -> tuple[str, int]:
    """Return the bytes as UTF-8 and the number of faults; a character that the end of the document cuts is none."""
    try:
        return UTF8().decode(body), 0
    except UnicodeDecodeError:
        text = UTF8("replace").decode(body)
        return text, text.count(REPLACEMENT)


def _non_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _repaired(body: bytes, text: str, faults: int) -> str:
    """Return the text of UTF-8 with few faults: bytes of windows-1252 that were pasted in become what they mean."""
    if not 0 < faults <= MAX_REPAIRS:
        return text
    return ESCAPED.sub(_western, UTF8("surrogateescape").decode(body))


def _western(fault: re.Match[str]) -> str:
    """Return the letter or sign that a lone byte means in windows-1252, unless it is the rest of a cut character."""
    byte = ord(fault[0][0]) - 0xDC00
    if len(fault[0]) > 1 or byte in NEVER_WESTERN:
        return REPLACEMENT
    follower = fault.string[fault.end() : fault.end() + 1]
    begins_utf8 = byte in BEGINNINGS and not (follower.isascii() and follower.isalpha())
    return REPLACEMENT if begins_utf8 else bytes([byte]).decode("cp1252", "replace")
