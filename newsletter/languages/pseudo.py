"""The pseudo-locale en-XA: every text of the catalogues with accents and in brackets.

Tests and eyes find by it the words of a page or letter that no catalogue marks. No list of languages offers it.
"""

import re
from gettext import NullTranslations

TAG = "en-XA"
FORMATS = "el"  # dates and lists in Greek letters, so that a date that is not formatted by a language is found, too
OPENING, CLOSING = "⟦", "⟧"

KEPT = re.compile(r"(%%|%\(\w+\)s|<[^>]*>|&\w+;)")  # placeholders, tags and entities
ACCENTED = str.maketrans("AEIOUYaeiouycnsz", "ÂÊÎÔÛŶâêîôûŷçñšž")


def bracketed(text: str) -> str:
    """Return the text with accents and in brackets; its placeholders and tags stay."""
    parts = KEPT.split(text)
    words = [part if place % 2 else part.translate(ACCENTED) for place, part in enumerate(parts)]
    return f"{OPENING}{''.join(words)}{CLOSING}"


class PseudoTranslations(NullTranslations):
    """A catalogue that has every text."""

    def gettext(self, message: str) -> str:
        """Return the text in brackets."""
        return bracketed(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the text for the number in brackets."""
        return bracketed(super().ngettext(msgid1, msgid2, n))

    def pgettext(self, context: str, message: str) -> str:
        """Return the text in brackets."""
        return bracketed(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        """Return the text for the number in brackets."""
        return bracketed(super().npgettext(context, msgid1, msgid2, n))
