"""Decoding: the bytes of a feed become text, and its prolog is taken away before any XML parser sees it.

A feed needs no document type, and everything that can blow up or reach out when XML is parsed (entities made of
entities, external entities) is declared there. Without it nothing is left to expand, whatever the parser does.
"""

import codecs
import re
from contextlib import suppress

from newsletter.errors import NewsletterError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
# Encodings of text. Python knows others that are none, and some that take quadratic time (punycode).
KNOWN = re.compile(
    r"(us-)?ascii|utf-?(8|16|32)|(iso|windows|cp|ibm|koi|mac|gb|hz|big|euc|shift|latin|johab|tis)[\w:.-]*"
)
DECLARED = re.compile(r"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w:.-]+)["']""")
CHARSET = re.compile(r"""charset\s*=\s*["']?([\w:.-]+)""", re.IGNORECASE)

PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?P<type>[^\[>]*)(?P<subset>\[)?>?", re.DOTALL | re.IGNORECASE)
ROOT = re.compile(r"<([A-Za-z_][\w.-]*:)?(?P<name>[A-Za-z_][\w.-]*)")


class NotAFeed(NewsletterError):
    """What came is not a feed."""


def decode(body: bytes, content_type: str = "") -> str:
    """The text of a document: by byte order mark, then as HTTP says, as the document says, UTF-8, windows-1252."""
    for mark, encoding in BOMS:
        if body.startswith(mark):
            return body.decode(encoding, "replace").removeprefix("\ufeff")
    start = body[:1000].decode("ascii", "replace")
    for said in (CHARSET.search(content_type), DECLARED.match(start)):
        with suppress(LookupError, UnicodeDecodeError):
            if said and KNOWN.fullmatch(said[1].lower()):
                return body.decode(said[1].lower().replace("gb2312", "gb18030"))  # its superset
    with suppress(UnicodeDecodeError):
        return body.decode()
    return body.decode("windows-1252", "replace")


def strip_prolog(text: str) -> str:
    """The XML document from its root element on. Raises NotAFeed if it has none, or declares entities."""
    at = 0
    while part := PROLOG.match(text, at):
        if part["subset"]:
            raise NotAFeed("It declares a document type with rules or entities of its own, which are not read.")
        at = part.end()
    root = ROOT.match(text, at)
    if not root:
        raise NotAFeed("It is neither XML nor a JSON Feed.")
    if root["name"].lower() == "html":
        raise NotAFeed("It is a web page, not a feed. Look there for the address of its feed.")
    return text[at:]
