"""The catalogues: translations of the fixed words, one folder a language, as gettext reads them.

The messages are English. `en` therefore needs no catalogue: it has one that holds nothing but its header.
"""

from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

DOMAIN = "newsletter"
FOLDER = Path(__file__).parents[1] / "locale"
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ja", "ar")  # in which everything is translated
DEFAULT = LANGUAGES[0]


@cache
def translations(tag: str) -> NullTranslations:
    """Return the translations into one of LANGUAGES. Raises FileNotFoundError if its catalogue is not compiled."""
    if tag == DEFAULT:
        return NullTranslations()
    return translation(DOMAIN, FOLDER, [tag], fallback=True)
