"""Reduce untrusted HTML to a small set of safe elements, or to plain text.

The security boundary is nh3's allow-list (nh3 uses an HTML5 parser). nh3 takes quadratic time for deeply nested
elements, so depth and size are limited before it runs.
"""

import html as markup
import re
from collections import Counter

import nh3

MAX_CHARACTERS = 200_000  # of HTML for one article: more than fits into a letter
MAX_DEPTH = 100

TAGS = {"p", "br", "a", "ul", "ol", "li", "em", "strong", "h2", "h3", "h4", "blockquote", "code", "pre"}
NO_ATTRIBUTES: dict[str, set[str]] = {"*": set()}  # without the star, nh3 keeps title and lang
ATTRIBUTES = NO_ATTRIBUTES | {"a": {"href"}}
# Elements replaced by their nearest allowed one: merely dropping a <div> would join two words.
SECTIONS = {"div", "section", "article", "header", "footer", "figure", "figcaption", "tr", "td", "th", "dt", "dd"}
REPLACEMENTS = {"b": "strong", "i": "em", "h1": "h2", "h5": "h4", "h6": "h4"} | dict.fromkeys(SECTIONS, "p")
BLOCKS = ({*TAGS, *REPLACEMENTS} - {"a", "em", "strong", "code", "b", "i"}) | {"hr", "img"}
# Elements that are removed with their content, because it is not text for readers.
REMOVED = {
    *["script", "style", "noscript", "noembed", "noframes", "iframe", "object", "template", "title", "textarea"],
    *["select", "svg", "math", "xmp", "audio", "video"],
}
# Elements that close implicitly or have no content, so that a sequence of them is not nested.
NOT_NESTING = {
    *["p", "li", "dt", "dd", "tr", "td", "th", "option", "br", "hr", "img", "input", "wbr", "meta", "link", "source"],
    *["area", "col", "embed", "param", "track"],
}

EMPTY = re.compile(r"<(a|p|ul|ol|li|h[234]|blockquote)\b[^<>]*>(\s*)</\1>")
TAG = re.compile(r"<(/?)([a-z][^\s/>]*)", re.IGNORECASE)
PARTIAL_ENTITY = re.compile(r"&[#\w]*\Z")
# Control characters, and characters that UTF-8 cannot encode.
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
REORDERING = re.compile(r"[\u202a-\u202e\u2066-\u2069\ufeff]")  # invisible characters that change how a line reads

first_pass = nh3.Cleaner(
    tags={*TAGS, *REPLACEMENTS}, attributes=ATTRIBUTES, clean_content_tags=REMOVED, url_relative="pass_through"
)
blocks_only = nh3.Cleaner(tags=BLOCKS, attributes=NO_ATTRIBUTES, clean_content_tags=REMOVED)
# The user name and password of a URL (RFC 3986 section 3.2.1), which readers must not see.
USERINFO = re.compile(r"^(\s*(?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)


def sanitize(html: str, *, base: str | None = None) -> str:
    """Reduce HTML to the allowed elements. Links may be http, https and mailto; relative ones are resolved by `base`.

    Without `base`, relative links are removed. The result is within the size limit as well: a base in front of each of
    thousands of links, or elements that an HTML parser opens anew in every paragraph, make it a hundred times as long.
    """
    cleaned = first_pass.clean(bounded(html))
    for tag, replacement in REPLACEMENTS.items():
        cleaned = cleaned.replace(f"<{tag}>", f"<{replacement}>").replace(f"</{tag}>", f"</{replacement}>")
    try:
        safe = _with_safe_links(cleaned, base)
    except ValueError:  # nh3 refuses bases that urlsplit accepts, such as a host name with a "<"
        safe = _with_safe_links(cleaned, None)
    safe = _without_empty_elements(safe).strip()
    if len(safe) <= MAX_CHARACTERS:
        return safe
    return _with_safe_links(_cut(safe), None).strip()  # closes what the cut left open; the links are absolute by now


def _without_empty_elements(html: str) -> str:
    """Return sanitized HTML without links and blocks that have no text, such as the link around a picture that left."""
    count = 1
    while count:
        html, count = EMPTY.subn(lambda empty: empty[2] if empty[1] == "a" else "", html)
    return html


def _with_safe_links(html: str, base: str | None) -> str:
    """Reduce HTML to the allowed elements. Raises ValueError if the base is no URL by the WHATWG's standard."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags=REMOVED,
        attribute_filter=lambda _tag, _name, value: without_userinfo(value),
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        url_relative=("rewrite_with_base", base) if base else "deny",
    )


def plain_text(html: str) -> str:
    """Return the text of the HTML on one line, with entities decoded and a space between blocks."""
    # nh3 has escaped all text and removed all attributes, so every < begins a tag.
    return one_line(markup.unescape(re.sub(r"<[^>]*>", " ", blocks_only.clean(bounded(html)))))


def one_line(text: str) -> str:
    """Return text that is safe in a header and a database: no control characters, surrogates or reordering."""
    if not text.isprintable():  # which is far faster to find out
        text = UNSTORABLE.sub(" ", REORDERING.sub("", text))
    return " ".join(text.split())


def without_userinfo(url: str) -> str:
    """Return the URL, relative or absolute, without a user name and password."""
    return USERINFO.sub(r"\1", url)


def bounded(html: str) -> str:
    """Return the HTML, shortened to the size limit, and without any tags if it is nested too deeply to parse fast."""
    html = UNSTORABLE.sub(" ", html)
    if len(html) > MAX_CHARACTERS:
        html = _cut(html)
    if _depth(html) > MAX_DEPTH:
        return re.sub(r"<[^<>]*>", " ", html).replace("<", " ")
    return html


def _cut(html: str) -> str:
    """Return the beginning of the HTML, cut before a tag, or within a text if no tag is near."""
    head = html[:MAX_CHARACTERS]
    tag = head.rfind("<", MAX_CHARACTERS * 9 // 10)
    return head[:tag] if tag >= 0 else PARTIAL_ENTITY.sub("", head)


def _depth(html: str) -> int:
    """Return an upper estimate of how deeply the elements are nested, without parsing."""
    open_tags: Counter[str] = Counter()
    depth = deepest = 0
    for slash, name in TAG.findall(html):
        tag = name.lower()
        if tag in NOT_NESTING:
            continue
        if not slash:
            open_tags[tag] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif open_tags[tag]:
            open_tags[tag] -= 1
            depth -= 1
    return deepest
