"""The languages in which a newsletter has texts, and the one that a path names."""

from collections.abc import Iterable
from typing import NamedTuple

from newsletter.errors import NotFound
from newsletter.languages import tags
from newsletter.languages.languages import english_name
from newsletter.newsletters import Newsletter


class TextLanguage(NamedTuple):
    """A language of the newsletter, or of a text that it has."""

    tag: str
    name: str  # in English
    has_text: bool


def tag_in(newsletter: Newsletter, language: str) -> str:
    """Return the language that a path names, as it is stored. Raises NotFound unless it is one."""
    if not tags.TAG.fullmatch(language) or len(language) > tags.MAX_CHARACTERS:
        raise NotFound
    return newsletter.spelling(language)


def listed(newsletter: Newsletter, with_texts: Iterable[str]) -> list[TextLanguage]:
    """Return the newsletter's languages, then the others that have a text, in this order."""
    having = list(with_texts)
    every = dict.fromkeys([*newsletter.languages, *having])
    return [TextLanguage(tag, english_name(tag), tag in having) for tag in every]
