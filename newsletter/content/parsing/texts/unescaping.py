"""Undo the escaping that a feed applies once too often, without losing text such as "a < b" or "use <b> sparingly".

Feeds escape plain text as HTML, escape HTML twice, and write the markers of a CDATA section as text. A closing tag
shows that a text is HTML: a writer who mentions an element seldom closes it.
"""

import html as markup
import re

from newsletter.content.parsing.texts.sanitizing import one_line, plain_text

MAX_LINE = 2000  # characters of a title or a name; longer ones are cut before they are unescaped
MAX_ESCAPES = 3  # how often a text may be escaped
INLINE = "a|abbr|b|bdi|big|cite|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|time|tt|u|var"
BLOCK = "p|div|h[1-6]|li|ul|ol|blockquote|section|article|figure|table|pre"
CLOSING = re.compile(rf"</(?:{INLINE}|{BLOCK})\s*>", re.IGNORECASE)
ESCAPED_CLOSING = re.compile(rf"&lt;/(?:{INLINE}|{BLOCK})\s*&gt;|&lt;br\s*/?&gt;", re.IGNORECASE)
PAIR = re.compile(rf"<({INLINE}|{BLOCK})(?:\s[^<>]*)?>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
WITHOUT_CONTENT = re.compile(r"<(?:br|wbr)\s*/?>|<(?:img|br)\s[^<>]*>", re.IGNORECASE)
ANY_MARKUP = re.compile(r"</[a-z]|<!--|/>|<[a-z]+\s[^<>]*=", re.IGNORECASE)
TAG = re.compile(r"<[a-z/!]", re.IGNORECASE)
# With its semicolon: "?a=1&copy=2" is a query, not a copyright sign. Browsers accept numbers without one.
ENTITY = re.compile(r"&(?:#\d{2,7};?|#x[0-9a-f]{2,6};?|[a-z][a-z0-9]{1,30};)", re.IGNORECASE)
MARKERS = re.compile(r"(?:<|&lt;)!\[CDATA\[|\]\](?:>|&gt;)")
PARAGRAPHS = re.compile(r"\n[ \t\r]*\n\s*")


def plain_line(value: str, *, is_html: bool = False) -> str:
    """Return a title or a name as one line of plain text, whether the feed wrote it as text or as HTML."""
    text = without_markers(value)[: 2 * MAX_LINE]
    if is_html and ANY_MARKUP.search(text):
        text = plain_text(text)
    text = text[:MAX_LINE]
    for _ in range(MAX_ESCAPES):
        unescaped = unescape(_without_pairs(text))
        if unescaped == text:
            break
        text = unescaped
    return one_line(_without_pairs(text))


def html_from_text(value: str) -> str:
    """Return text that the feed calls plain as HTML, one <p> for each of several paragraphs."""
    text = without_markers(value).strip()
    if CLOSING.search(text):
        return text
    for _ in range(MAX_ESCAPES):
        text = unescape(text)
    if CLOSING.search(text):
        return text
    return _paragraphs(markup.escape(text, quote=False))


def html_from_html(value: str) -> str:
    """Return the feed's HTML, unescaped if it was escaped twice."""
    html = without_markers(value).strip()
    for _ in range(MAX_ESCAPES - 1):
        if TAG.search(html) or not ESCAPED_CLOSING.search(html.replace("&amp;lt;", "&lt;").replace("&amp;gt;", "&gt;")):
            break
        html = without_markers(markup.unescape(html))
    return html if TAG.search(html) else _paragraphs(html)


def unescape(text: str) -> str:
    """Replace entities, named and numeric, once; unknown names stay."""
    return ENTITY.sub(lambda entity: markup.unescape(entity[0]), text) if "&" in text else text


def without_markers(value: str) -> str:
    """Remove the markers of a CDATA section that the feed wrote as text."""
    if "![CDATA[" in value or value.rstrip().endswith("]]>"):
        return MARKERS.sub("", value)
    return value


def _without_pairs(text: str) -> str:
    """Remove pairs of tags and line breaks; a tag without its partner is text."""
    if "<" not in text:
        return text
    text = WITHOUT_CONTENT.sub(" ", text)
    for _ in range(MAX_ESCAPES):
        text, count = PAIR.subn(_content, text)
        if not count:
            break
    return text


def _content(pair: re.Match[str]) -> str:
    return pair[2] if re.fullmatch(INLINE, pair[1], re.IGNORECASE) else f" {pair[2]} "


def _paragraphs(html: str) -> str:
    paragraphs = [part for part in PARAGRAPHS.split(html) if part.strip()]
    return "".join(f"<p>{part}</p>" for part in paragraphs) if len(paragraphs) > 1 else html
