"""Split an XML document into markup and the sections in which nothing is markup: CDATA and comments."""

from collections.abc import Iterator
from typing import NamedTuple

ENDS = {"<![CDATA[": "]]>", "<!--": "-->"}


class Section(NamedTuple):
    """A part of a document, from `start` up to `end`. `is_cut` says that it is CDATA or a comment that never ends."""

    start: int
    end: int
    is_markup: bool
    is_cut: bool = False


def split(text: str) -> Iterator[Section]:
    """Yield the sections of a document in their order."""
    at = 0
    nearest = {opening: text.find(opening) for opening in ENDS}
    while opening := min((each for each in ENDS if nearest[each] >= 0), key=lambda each: nearest[each], default=""):
        start = nearest[opening]
        yield Section(at, start, is_markup=True)
        closing = text.find(ENDS[opening], start + len(opening))
        at = len(text) if closing < 0 else closing + len(ENDS[opening])
        yield Section(start, at, is_markup=False, is_cut=closing < 0)
        for each in ENDS:
            if 0 <= nearest[each] < at:
                nearest[each] = text.find(each, at)
    yield Section(at, len(text), is_markup=True)
