"""The sections of a generated page, and the plain text that a publisher may edit."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from newsletter.languages.languages import Language
from newsletter.languages.translatable import Translatable
from newsletter.legal_pages.marked_text import BULLET, HEADING

Told = Translatable | str


class PageSection(NamedTuple):
    """A heading and what stands under it: paragraphs, and lists of items."""

    heading: Told
    paragraphs: Sequence[Told | Sequence[Translatable]]


def written(sections: Iterable[PageSection], spoken: Language) -> str:
    """Return sections in a language, as `marked_text.read` reads them."""
    return "\n\n".join(block for section in sections for block in _blocks(section, spoken))


def _blocks(section: PageSection, spoken: Language) -> Iterator[str]:
    yield HEADING + spoken.text(section.heading)
    for each in section.paragraphs:
        if isinstance(each, Translatable | str):
            yield spoken.text(each)
        else:
            yield "\n".join(BULLET + spoken.text(item) for item in each)
