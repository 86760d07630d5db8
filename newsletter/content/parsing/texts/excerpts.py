"""Make an article's title and excerpt from its own words, so that neither repeats the other."""

import re
from collections.abc import Sequence
from itertools import chain

from newsletter.content.parsing.texts.boilerplate import TextLine
from newsletter.content.parsing.texts.shortening import excerpt, first_sentence

MAX_TITLE = 300
MAX_TITLE_FROM_TEXT = 80
MAX_SUMMARY = 280
MIN_PROSE = 25  # characters; a shorter prose without a sentence is no better than the links beside it
MAX_LABEL = 60  # characters of a line such as "See also:" before a list of links

SENTENCE_MARK = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u061f\u0964]")
SEPARATORS = " ,;:.!?|-\u2013\u2014\u2026\u3002\uff01\uff1f\uff1a"
# What follows a title at the beginning of the text; not a space alone, as in "The bus" and "The bus is late".
AFTER_TITLE = re.compile(
    r"[.!?:\u2026\u3002\uff01\uff1f\uff1a]+[\"')\u2019\u201d\u00bb]*(?:\s+|$)|\s+[-\u2013\u2014|:]\s+|\s*$"
)
MAX_MARK = 10  # characters of what CUT_OFF finds in a text on one line
# How publishing programs mark an excerpt that they cut off.
CUT_OFF = re.compile(r"\s*[\[(](?:\u2026|\.\.\.)[\])]\s*$|\s+(?:\u2026|\.\.\.)\s*$")
NOT_WORDS = re.compile(r"[\W_]+")


def title_and_summary(title: str, texts: Sequence[Sequence[TextLine]], *, address: str) -> tuple[str, str]:
    """Return the title, and as the summary the first of the texts that says more than the title.

    Without a title, the first sentence becomes it and the summary goes on after it. Without a text, the address does.
    """
    proses = [prose for prose in map(_prose, texts) if prose]
    if title:
        return excerpt(title, MAX_TITLE), next(filter(None, (_beyond(title, prose) for prose in proses)), "")
    if not proses:
        return excerpt(address, MAX_TITLE), ""
    first, *others = proses[0]
    made = first_sentence(first, MAX_TITLE_FROM_TEXT)
    rest = first[len(made.removesuffix("…")) :].lstrip(SEPARATORS)
    return _without_mark(made), _shortened([rest, *others])


def _prose(lines: Sequence[TextLine]) -> list[str]:
    """Return the lines that are prose; all of them if those say next to nothing."""
    following = chain(lines[1:], [TextLine("", is_prose=True)])
    own = (line for line, after in zip(lines, following, strict=False) if line.is_prose and not _is_label(line, after))
    prose = [line.text for line in own]
    if sum(map(len, prose)) >= MIN_PROSE or any(SENTENCE_MARK.search(text) for text in prose):
        return prose
    return [line.text for line in lines]


def _is_label(line: TextLine, after: TextLine) -> bool:
    return line.text.endswith(":") and len(line.text) <= MAX_LABEL and not after.is_prose


def _beyond(title: str, lines: list[str]) -> str:
    """Return the summary without the title at its beginning; empty if it says no more than the title."""
    first, *others = lines
    known, key = _key(title), _key(first)
    if key == known:
        return _beyond(title, others) if others else ""
    if known.startswith(key) and known.startswith(_key("".join(lines))):
        return ""
    return _shortened([_after_title(title, first), *others])


def _after_title(title: str, text: str) -> str:
    start = title.rstrip(SEPARATORS)
    if start and text[: len(start)].casefold() == start.casefold() and (gap := AFTER_TITLE.match(text, len(start))):
        return text[gap.end() :]
    return text


def _shortened(lines: list[str]) -> str:
    return excerpt(_without_mark(" ".join(filter(None, lines))), MAX_SUMMARY)


def _without_mark(text: str) -> str:
    """Return the text with "…" where its publisher cut it off, nothing after a whole sentence."""
    mark = CUT_OFF.search(text, max(0, len(text) - MAX_MARK))
    if not mark:
        return text
    kept = text[: mark.start()]
    return kept if kept.endswith((".", "!", "?", "…")) or not kept else f"{kept}…"


def _key(text: str) -> str:
    return NOT_WORDS.sub("", text).casefold()
