"""The catalogues: translations of the fixed words, one folder a language, as gettext reads them.

The messages are English, so en has no catalogue.
"""

from functools import cache
from gettext import NullTranslations, translation
from hashlib import sha256
from pathlib import Path

DOMAIN = "newsletter"
FOLDER = Path(__file__).parents[1] / "locale"
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ja", "ar")  # in which everything is translated
DEFAULT = LANGUAGES[0]

SOURCE, SOURCE_DIGEST = "source", "sha256"  # the entry by which a compiled catalogue names the file that it is made of


class NotCompiled(Exception):
    """A catalogue is not compiled, or changed after it was; pages would silently be English or out of date."""


@cache
def translations(tag: str, folder: Path = FOLDER) -> NullTranslations:
    """Return the translations into one of LANGUAGES. Raises NotCompiled."""
    if tag == DEFAULT:
        return NullTranslations()
    found: NullTranslations
    try:
        found = translation(DOMAIN, folder, [tag])
    except FileNotFoundError:
        found = NullTranslations()
    source = folder / tag / "LC_MESSAGES" / f"{DOMAIN}.po"
    if found.pgettext(SOURCE, SOURCE_DIGEST) != sha256(source.read_bytes()).hexdigest():
        raise NotCompiled(f"The catalogue {tag} is not compiled. Run `make .venv/run`, or install the package again.")
    return found
