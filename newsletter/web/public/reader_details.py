"""Check what a form holds about a reader beside the address: the name and the time zone."""

import re

from newsletter import zones
from newsletter.errors import Malformed
from newsletter.languages.translatable import translatable

SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # no-break and other special spaces
# Controls, line separators, bidirectional overrides, surrogates.
FORBIDDEN_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
MAX_NAME_CHARACTERS = 200


def checked_name(value: str) -> str:
    """Return the name with plain spaces. Refuses control characters and encoded-words (CVE-2024-6923).

    Joiners are allowed: names in Persian and Hindi need them. Raises Malformed.
    """
    value = SPACES.sub(" ", value).strip()
    if len(value) > MAX_NAME_CHARACTERS:
        raise Malformed(
            "name", translatable("Enter a name of at most %(limit)s characters.", limit=MAX_NAME_CHARACTERS)
        )
    if FORBIDDEN_IN_NAMES.search(value) or "=?" in value:
        raise Malformed("name", translatable("Enter the name as plain text on one line."))
    return value


def checked_zone(value: str, *, field: str) -> str:
    """Return the name of a time zone, or nothing if none was entered. Raises Malformed, naming the field."""
    if value:
        zones.check(value, field=field)
    return value
