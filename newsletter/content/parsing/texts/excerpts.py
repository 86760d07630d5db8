"""Make an article's title and excerpt from its own words, so that neither repeats the other."""

import re
from collections.abc import Sequence
from itertools import chain

from newsletter.content.parsing.texts import reading_length
from newsletter.content.parsing.texts.boilerplate import TextLine
from newsletter.content.parsing.texts.shortening import excerpt, first_sentence

MAX_TITLE = 300
MAX_SENTENCE = 140  # characters of a first sentence that is the title
MAX_SENTENCE_WORDS = 25  # of it, or as much of a script without spaces
MAX_CUT, MAX_CUT_WORDS = 80, 14  # of a title that is the beginning of a longer sentence
MIN_REPEATED = 80  # characters of a title that is no title, because it is all of the text
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
CUT_OFF_TITLE = re.compile(r"(?:…|\.\.\.)[\])]?\s*$")
NOT_WORDS = re.compile(r"[\W_]+")


def title_and_summary(title: str, texts: Sequence[Sequence[TextLine]], *, address: str) -> tuple[str, str]:
    """Return the title, and as the summary the first of the texts that says more than the title.

    Without a title, the first sentence becomes it and the summary goes on after it. Without a text, the address does.
    Programs for short notes give them a title that is the note, or as much of it as a title may have: that is none.
    """
    proses = [prose for prose in map(_prose, texts) if prose]
    if title and not (proses and _is_beginning(title, proses[-1])):
        return excerpt(title, MAX_TITLE), next(filter(None, (_beyond(title, prose) for prose in proses)), "")
    if not proses:
        return excerpt(address, MAX_TITLE), ""
    first, *others = proses[-1] if title else proses[0]
    limit = min(MAX_SENTENCE, reading_length.beginning(first, MAX_SENTENCE_WORDS))
    made = first_sentence(first, limit, cut=min(MAX_CUT, reading_length.beginning(first, MAX_CUT_WORDS)))
    rest = first[len(made.removesuffix("…")) :].lstrip(SEPARATORS)
    is_within_sentence = not first.startswith(made)
    return _without_mark(made), _shortened([f"… {rest}" if is_within_sentence else rest, *others])


def _is_beginning(title: str, lines: list[str]) -> bool:
    """Return whether a title is the text, or its beginning with a mark of omission after it."""
    known, text = _key(title), _key("".join(lines))
    is_cut_off = bool(CUT_OFF_TITLE.search(title))
    return bool(known) and text.startswith(known) and (is_cut_off or (len(title) > MIN_REPEATED and text == known))


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
