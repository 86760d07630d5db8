"""Decode the bytes of a feed to text, and strip the prolog before an XML parser sees it.

A feed needs no document type, and the document type declares everything that makes parsing XML dangerous: nested
entities and external entities. Without it the parser has nothing to expand.
"""

import codecs
import re
from contextlib import suppress

from newsletter.errors import NewsletterError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because it begins with UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
# Text encodings. Python's other codecs are not encodings of text, or take quadratic time (punycode).
TEXT_ENCODING = re.compile(
    r"(us-)?ascii|utf-?(8|16|32)|(iso|windows|cp|ibm|koi|mac|gb|hz|big|euc|shift|latin|johab|tis)[\w:.-]*"
)
DECLARED = re.compile(r"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w:.-]+)["']""")
CHARSET = re.compile(r"""charset\s*=\s*["']?([\w:.-]+)""", re.IGNORECASE)

PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?P<type>[^\[>]*)(?P<subset>\[)?>?", re.DOTALL | re.IGNORECASE)
ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?(?P<name>[A-Za-z_][\w.-]*)")


class FeedUnreadable(NewsletterError):
    """The document cannot be read as a feed: it is none, is broken, or takes too much time or memory."""


def decode(body: bytes, content_type: str = "") -> str:
    """Return the text of a document.

    The encoding comes from the byte order mark, else the HTTP header, else the XML declaration; else UTF-8, or
    windows-1252 if the bytes are not UTF-8.
    """
    for mark, encoding in BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace").removeprefix("\ufeff")
    start = body[:1000].decode("ascii", "replace")
    for declared in (CHARSET.search(content_type), DECLARED.match(start)):
        with suppress(LookupError, UnicodeDecodeError):
            if declared and TEXT_ENCODING.fullmatch(declared[1].lower()):
                return body.decode(declared[1].lower().replace("gb2312", "gb18030"))  # its superset
    with suppress(UnicodeDecodeError):
        return body.decode()
    return body.decode("windows-1252", "replace")


def strip_prolog(text: str) -> str:
    """Return the XML document from its root element on.

    Raises FeedUnreadable if it has no root element, declares entities, or is a web page.
    """
    at = 0
    while part := PROLOG.match(text, at):
        if part["subset"]:
            raise FeedUnreadable(
                "The document declares entities or a document type of its own, which is not supported."
            )
        at = part.end()
    root = ROOT.match(text, at)
    if not root:
        raise FeedUnreadable("The document is neither XML nor a JSON Feed.")
    if root["name"].lower() == "html":
        raise FeedUnreadable("This is a web page, not a feed. Look on the page for the address of its feed.")
    return text[at:]
