"""Make the references of an XML document ones that a parser knows without a document type."""

import html as markup
import re
from html.entities import html5

from newsletter.content.parsing.documents import sections

# A reference (XML 1.0 section 4.1) that is not one of the five that XML predefines, or an ampersand that begins none.
REFERENCE = re.compile(
    r"&(?!(?:lt|gt|amp|quot|apos);)(?:#(?P<decimal>\d{1,7});|#[xX](?P<hex>[0-9a-fA-F]{1,6});|(?P<name>\w{1,40};))?"
)
INVALID = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 section 2.2
C1 = range(0x80, 0xA0)  # control characters, which mean those of windows-1252, as in HTML


def resolve(text: str) -> str:
    """Return the document with HTML's entities replaced, and whatever is no reference, or an unknown one, as text."""
    parts = (
        REFERENCE.sub(_resolved, text[part.start : part.end]) if part.is_markup else text[part.start : part.end]
        for part in sections.split(text)
    )
    return "".join(parts) if "&" in text else text


def _resolved(reference: re.Match[str]) -> str:
    if name := reference["name"]:
        return markup.escape(html5[name]) if name in html5 else f"&amp;{name}"
    digits = reference["decimal"] or reference["hex"]
    if not digits:
        return "&amp;"
    code = int(digits, 10 if reference["decimal"] else 16)
    if code in C1:
        return bytes([code]).decode("cp1252", "replace")
    return " " if code > 0x10FFFF or INVALID.match(chr(code)) else reference[0]
