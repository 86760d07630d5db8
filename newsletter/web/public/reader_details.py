"""Check what a form holds about a reader beside the address: the name and the time zone."""

import re

from newsletter import zones
from newsletter.errors import Malformed
from newsletter.languages.translatable import translatable
from newsletter.plain_text import UNSHOWN

SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")  # no-break and other special spaces
MAX_NAME_CHARACTERS = 200


def checked_name(value: str) -> str:
    """Return the name with plain spaces. Raises Malformed for control characters and encoded-words (CVE-2024-6923)."""
    value = SPACES.sub(" ", value).strip()
    if len(value) > MAX_NAME_CHARACTERS:
        raise Malformed(
            "name", translatable("Enter a name of at most %(limit)s characters.", limit=MAX_NAME_CHARACTERS)
        )
    if UNSHOWN.search(value) or "=?" in value:
        raise Malformed("name", translatable("Enter the name as plain text on one line."))
    return value


def checked_zone(value: str, *, field: str) -> str:
    """Return the name of a time zone, or nothing if none was entered. Raises Malformed, naming the field."""
    if value:
        zones.check(value, field=field)
    return value
