"""Entered text: characters that it may not hold, because nobody sees them or they change others, and how it is cut."""

import re

MAX_SHOWN_CHARACTERS = 80  # of what an error message quotes
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # in text of several lines
# In one line: controls, line separators, bidirectional overrides and surrogates. Joiners are allowed: names in Persian
# and Hindi need them.
UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shortened(text: str, limit: int) -> str:
    """Return the text; of a longer one its first `limit` characters, and a sign that some are missing."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def shown(text: str) -> str:
    """Return what was entered, or found in the DNS, as an error message quotes it: on one line, not too long."""
    return shortened(text if text.isprintable() else text.encode("unicode_escape").decode(), MAX_SHOWN_CHARACTERS)
