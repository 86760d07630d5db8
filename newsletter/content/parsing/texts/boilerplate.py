"""Separate an article's own words from what its publishing program adds to them.

A line that is nothing but a known phrase leaves, and so does a known phrase at the end of one of the last lines, such
as "Continue reading". Lists of links and captions stay in the article, but are no prose for its excerpt.
"""
# ruff: noqa: RUF001 - the quotation marks and dashes are those of many languages

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from newsletter.content.parsing.texts import boilerplate_phrases as phrases
from newsletter.content.parsing.texts.sanitizing import one_line
from newsletter.content.parsing.texts.text_lines import HtmlLine, HtmlLines, LinkSpan
from newsletter.content.parsing.texts.unescaping import unescape

MAX_PHRASE = 600  # characters; what is longer is the article's own
MAX_STARTS = 12  # places in a line that are tried as the beginning of a phrase
MAX_PROSE = 2000  # characters that are read for an excerpt
LAST_LINES = 3  # of an article, in which a phrase may follow the article's own words
MAX_LINK_WORDS = 10  # of a line that is one link and no prose
MAX_LABEL_WORDS = 3

MAX_OMISSION = 10  # characters of what OMISSION finds
OMISSION = re.compile(r"(?:…|\.\.\.)[\])\s\u00a0]*$")  # how publishing programs mark a text that they cut off
DECORATION = " |•·*—–-→»›>↓⇒➔➜…∞⇾▶★↩.!?:;,\"'“”„«‹‘’()[]{}_/=\u00a0\u200b\u00ad\ufe0e\ufe0f"
GOES_ON = "“„«‚‘:,"  # before the name of a book, as in "She wrote: Read the Story"
BOUNDARY = re.compile(r"[.!?…。！？»”\")\]]\s*|\s(?=[\[(→»])|\s[–—|•]\s")
WHOLE_LINE = phrases.compiled(
    phrases.APPEARED_FIRST,
    phrases.READ_MORE,
    phrases.QUOTED_TITLE,
    phrases.COMMENTS,
    phrases.FORUMS,
    phrases.SHARE_TEXT,
    phrases.NOTICES,
)
LINKED_LINE = phrases.compiled(phrases.LINKED, phrases.APPEARED_FIRST, site=".{1,120}")
BEGINNING = phrases.compiled(phrases.BEGINNINGS)
LAST_SENTENCE = phrases.compiled(phrases.APPEARED_FIRST, phrases.READ_MORE, phrases.QUOTED_TITLE, phrases.FORUMS)
READ_ON = phrases.compiled(phrases.READ_MORE, phrases.QUOTED_TITLE, phrases.CONTINUE)
LINK_TEXT = phrases.compiled(
    phrases.READ_MORE,
    phrases.LINKED,
    phrases.CONTINUE,
    phrases.COMMENTS,
    phrases.FORUMS,
    phrases.SHARE_TEXT,
    phrases.SHARE_LINKS,
)
SHARE_LINK = phrases.compiled(phrases.SHARE_LINKS)
MORE = phrases.compiled(phrases.MORE)
LABEL = phrases.compiled(phrases.LABELS)
READ_ALSO = phrases.compiled(phrases.READ_ALSO)


@dataclass(frozen=True)
class TextLine:
    """One line of an article. `is_prose` is False for a list of links and for a caption."""

    text: str
    is_prose: bool


@dataclass(frozen=True)
class ReadableText:
    """An article's own words: its HTML, not sanitized, and the lines at its beginning.

    `is_cut_off` is True if its end says that there is more to read elsewhere.
    """

    html: str
    lines: tuple[TextLine, ...]
    is_cut_off: bool = False


def without_boilerplate(html: str) -> ReadableText:
    """Return the article without the phrases that its publishing program added; nothing if it has no other words."""
    document = HtmlLines(html)
    for line in document.lines:
        if _is_phrase(line):
            line.cut_at = 0
    own = (line for line in reversed(document.lines) if line.cut_at is None)
    for line in list(islice(own, LAST_LINES)):
        while (start := _last_phrase(line)) is not None:
            line.cut_at = start
    return ReadableText(document.html(), tuple(_text_lines(document.lines)), _is_cut_off(document.lines))


def _is_cut_off(lines: list[HtmlLine]) -> bool:
    """Return whether the article's own words end with a sign of omission, or are followed by an invitation to more."""
    for line in reversed(lines):
        removed = "" if line.cut_at is None else line.text[line.cut_at :]
        if removed.strip() and READ_ON.fullmatch(_bare(removed)):
            return True
        if line.kept.strip():
            return bool(OMISSION.search(line.kept[-MAX_OMISSION:]))
    return False


def _text_lines(lines: list[HtmlLine]) -> Iterator[TextLine]:
    length = 0
    for line in lines:
        if length < MAX_PROSE and (text := _excerptable(line)):
            if text[-1].isalnum() and line.cut_at:  # an invitation to read on in the middle of a sentence
                text += "…"
            yield TextLine(text, is_prose := _is_prose(line))
            length += is_prose * len(text)


def _excerptable(line: HtmlLine) -> str:
    text = one_line(unescape(_own_words(line)))
    beginning = BEGINNING.match(text)
    return text[beginning.end() :].lstrip() if beginning else text


def _own_words(line: HtmlLine) -> str:
    """Return the line for an excerpt, in which a link at its end leads nowhere if it says only "more"."""
    text = line.kept
    last = next((link for link in reversed(line.links) if link.end <= len(text)), None)
    is_more = last and not _bare(text[last.end :]) and MORE.fullmatch(_bare(text[last.start : last.end]))
    return text[: last.start] if last and is_more and _may_begin(text, last.start) else text


def _is_phrase(line: HtmlLine) -> bool:
    if len(line.text) > MAX_PHRASE:
        return False
    if line.links and LABEL.fullmatch(_bare(_outside_links(line))):
        return True
    return _is_known(line, 0, WHOLE_LINE)


def _is_known(line: HtmlLine, start: int, known: re.Pattern[str]) -> bool:
    """Return whether the text from the position on is a known phrase, or an invitation in free words at a link."""
    bare = _bare(line.kept[start:])
    return bool(known.fullmatch(bare)) or (bool(LINKED_LINE.fullmatch(bare)) and _has_link_at_edge(line, start))


def _has_link_at_edge(line: HtmlLine, start: int) -> bool:
    """Return whether the text from the position on begins or ends with a link."""
    text = line.kept
    links = [link for link in line.links if start <= link.start and link.end <= len(text)]
    return any(not _bare(text[start : link.start]) or not _bare(text[link.end :]) for link in links)


def _last_phrase(line: HtmlLine) -> int | None:
    """Return where the phrase begins that ends the line; None if the line ends with the article's own words."""
    text = line.kept.rstrip()
    if not text:
        return None
    links = [link for link in line.links if link.end <= len(text)]
    for index, link in enumerate(links[-MAX_STARTS:], max(0, len(links) - MAX_STARTS)):
        if _are_phrases(text, links[index:]) and _may_begin(text, link.start):
            return link.start
    since = max(0, len(text) - MAX_PHRASE)
    starts = [match.end() for match in BOUNDARY.finditer(text, since)][-MAX_STARTS:]
    return next((at for at in starts if _is_known(line, at, LAST_SENTENCE)), None)


def _are_phrases(text: str, links: list[LinkSpan]) -> bool:
    """Return whether the text from the first of the links on is these links alone, and each is a phrase."""
    ends = [*(link.start for link in links[1:]), len(text)]
    between = "".join(text[link.end : end] for link, end in zip(links, ends, strict=True))
    return not _bare(between) and all(_is_link_phrase(text[link.start : link.end]) for link in links)


def _is_link_phrase(text: str) -> bool:
    bare = _bare(text)
    return not bare or bool(LINK_TEXT.fullmatch(bare))  # a bare arrow or "∞" leads to the article


def _may_begin(text: str, at: int) -> bool:
    """Return whether a phrase may begin there: not within a sentence, as in "read more" and "it is on YouTube"."""
    before, phrase = text[:at].rstrip(), text[at:].lstrip(DECORATION)
    if not before or before[-1] in GOES_ON:
        return not before
    return not before[-1].isalnum() or not (phrase[:1].islower() or SHARE_LINK.match(phrase))


def _is_prose(line: HtmlLine) -> bool:
    if line.is_caption or line.is_heading:
        return False
    outside = _outside_links(line)
    if line.links and READ_ALSO.fullmatch(_bare(outside)):
        return False
    introduces = one_line(outside).endswith(":")
    if len(line.links) < 2:  # one link may be a whole teaser, or name whom the next lines quote
        return not line.links or bool(_bare(outside)) or introduces or len(line.text.split()) > MAX_LINK_WORDS
    is_label = introduces or (":" in outside and len(_bare(outside).split()) <= MAX_LABEL_WORDS)
    return bool(_bare(outside)) and not is_label


def _outside_links(line: HtmlLine) -> str:
    text, at = line.kept, 0
    parts = []
    for link in line.links:
        parts.append(text[at : link.start])
        at = link.end
    return " ".join([*parts, text[at:]])


def _bare(text: str) -> str:
    """Return the text on one line without the arrows, brackets and other signs around it."""
    return one_line(text).strip(DECORATION)
