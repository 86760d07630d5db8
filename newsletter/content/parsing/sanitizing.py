"""Sanitizing: strangers' HTML becomes a small, safe vocabulary, or plain text.

The allow-list is the boundary (nh3, an HTML5 parser). It takes quadratic time for deeply nested elements, so depth and
size are bounded before it sees anything.
"""

import html as markup
import re
from collections import Counter

import nh3

MAX_CHARACTERS = 200_000  # of HTML for one article: longer than any that a letter could carry
MAX_DEPTH = 100

TAGS = {"p", "br", "a", "ul", "ol", "li", "em", "strong", "h2", "h3", "h4", "blockquote", "code", "pre"}
NO_ATTRIBUTES: dict[str, set[str]] = {"*": set()}  # without the star, nh3 keeps title and lang
ATTRIBUTES = NO_ATTRIBUTES | {"a": {"href"}}
# What has a near relation in the vocabulary becomes that: a <div> that was merely dropped would glue two words.
SECTIONS = {"div", "section", "article", "header", "footer", "figure", "figcaption", "tr", "td", "th", "dt", "dd"}
RELATED = {"b": "strong", "i": "em", "h1": "h2", "h5": "h4", "h6": "h4"} | dict.fromkeys(SECTIONS, "p")
BLOCKS = ({*TAGS, *RELATED} - {"a", "em", "strong", "code", "b", "i"}) | {"hr", "img"}
# Elements whose content is not text for a reader.
UNREAD = {
    *["script", "style", "noscript", "noembed", "noframes", "iframe", "object", "template", "title", "textarea"],
    *["select", "svg", "math", "xmp", "audio", "video"],
}
# Elements that end by themselves or have no content: any number of them in a row is not depth.
FLAT = {
    *["p", "li", "dt", "dd", "tr", "td", "th", "option", "br", "hr", "img", "input", "wbr", "meta", "link", "source"],
    *["area", "col", "embed", "param", "track"],
}

TAG = re.compile(r"<(/?)([a-z][^\s/>]*)", re.IGNORECASE)
UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # not text, or not in UTF-8
REORDERING = re.compile(r"[\u202a-\u202e\u2066-\u2069\ufeff]")  # invisible; can make a line read as another one

familiar = nh3.Cleaner(
    tags={*TAGS, *RELATED}, attributes=ATTRIBUTES, clean_content_tags=UNREAD, url_relative="pass_through"
)
blocks = nh3.Cleaner(tags=BLOCKS, attributes=NO_ATTRIBUTES, clean_content_tags=UNREAD)
# A name and a password in an address (RFC 3986 section 3.2.1) are nobody else's business.
USERINFO = re.compile(r"^(\s*(?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
SENTENCE_END = re.compile(r"[.!?]['\")\]\u2019\u201d\u00bb]*(?=\s)|[\u3002\uff01\uff1f]")


def sanitize(html: str, *, base: str | None = None) -> str:
    """Reduce HTML to the allowed elements; links go to http, https and mailto only, relative ones from `base`."""
    known = familiar.clean(bounded(html))
    for stranger, relation in RELATED.items():
        known = known.replace(f"<{stranger}>", f"<{relation}>").replace(f"</{stranger}>", f"</{relation}>")
    clean = nh3.clean(
        known,
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags=UNREAD,
        attribute_filter=lambda _tag, _name, value: without_userinfo(value),
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        url_relative=("rewrite_with_base", base) if base else "deny",
    )
    return re.sub(r"<p>\s*</p>", "", clean).strip()


def plain_text(html: str) -> str:
    """The words of the HTML on one line, entities decoded; what stands in separate blocks does not run together."""
    # Whatever was text is escaped by nh3 and no attribute is left: every < begins a tag.
    return one_line(markup.unescape(re.sub(r"<[^>]*>", " ", blocks.clean(bounded(html)))))


def one_line(text: str) -> str:
    """Text that fits a header and a database: no CR, LF, NUL or other control, no half characters, no tricks."""
    return " ".join(UNSTORABLE.sub(" ", REORDERING.sub("", text)).split())


def without_userinfo(url: str) -> str:
    """The address, relative or whole, without the name and the password that it may carry."""
    return USERINFO.sub(r"\1", url)


def excerpt(text: str, limit: int) -> str:
    """At most `limit` characters of a line of text: whole sentences if they fill half of it, else words and "…"."""
    if len(text) <= limit:
        return text
    sentences = [end.end() for end in SENTENCE_END.finditer(text, 0, limit + 1) if end.end() <= limit]
    if sentences and sentences[-1] > limit // 2:
        return text[: sentences[-1]]
    words, _, _ = text[:limit].rpartition(" ")
    kept = words if len(words) > limit // 2 else text[: limit - 1]  # Chinese has no blanks to cut at
    return kept.rstrip(" ,;:.-\u2013") + "…"


def bounded(html: str) -> str:
    """The HTML if it is short and flat enough to be parsed in linear time, else what can be saved of it."""
    html = UNSTORABLE.sub(" ", html)
    if len(html) > MAX_CHARACTERS:
        html = html[:MAX_CHARACTERS].rpartition("<")[0]
    if _depth(html) > MAX_DEPTH:
        return re.sub(r"<[^<>]*>", " ", html).replace("<", " ")
    return html


def _depth(html: str) -> int:
    """How deeply the elements are nested at most, found without parsing."""
    opened: Counter[str] = Counter()
    depth = deepest = 0
    for slash, name in TAG.findall(html):
        tag = name.lower()
        if tag in FLAT:
            continue
        if not slash:
            opened[tag] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif opened[tag]:
            opened[tag] -= 1
            depth -= 1
    return deepest
