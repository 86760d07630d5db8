"""Fields of the mail merge that are words: the greeting, and times.

Their names say the language: `greeting_in_de` is "Guten Tag Ana,". A name without a language is English, as in all
letters of earlier releases, so that a letter is repeated in the same bytes after an upgrade.
"""

from functools import lru_cache

from newsletter.languages.catalogues import DEFAULT
from newsletter.languages.languages import ENGLISH, Language, language

NAMES = frozenset({"greeting", "requested_at", "expires_at", "fresh_until"})
SEPARATOR = "_in_"


def named(field: str, tag: str) -> str:
    """Return the name of a field in a letter of this language; only fields that are words have one per language."""
    if field not in NAMES or tag == DEFAULT:
        return field
    return f"{field}{SEPARATOR}{tag.lower().replace('-', '_')}"


@lru_cache(maxsize=256)
def read(name: str) -> tuple[str, Language]:
    """Return the field and the language that a name says. Raises KeyError if it says none that this release knows."""
    field, separator, tag = name.partition(SEPARATOR)
    if not separator:
        return field, ENGLISH
    spoken = language(tag.replace("_", "-"))
    if field not in NAMES or named(field, spoken.tag) != name:
        raise KeyError(name)
    return field, spoken
