"""Choose among several languages by the header Accept-Language (RFC 9110 section 12.5.4)."""

import re
from collections.abc import Sequence

from newsletter.languages import tags

MAX_CHARACTERS = 1000  # of the header that are read; browsers send less than 100
RANGE = re.compile(
    r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)
ANY = "*"


def negotiate(header: str | None, offered: Sequence[str]) -> str:
    """Return the offered tag that the header wants most; the first one if it wants none of them.

    Parts of the header that are no language range, and those beyond MAX_CHARACTERS, are ignored.
    """
    weighed = _weighed(header or "")
    refused = {tag.lower() for tag, quality in weighed if not quality}
    acceptable = [tag for tag in offered if tag.lower() not in refused]
    for wanted, quality in sorted(weighed, key=lambda pair: -pair[1]):
        if not quality:
            break
        if wanted == ANY:
            return next(iter(acceptable), offered[0])
        if found := tags.lookup([wanted], acceptable):
            return found
    return offered[0]


def _weighed(header: str) -> list[tuple[str, float]]:
    """Return the header's ranges with their qualities, in its order."""
    parts = header[:MAX_CHARACTERS].split(",")
    if len(header) > MAX_CHARACTERS:
        parts.pop()  # it may be cut off
    matches = filter(None, map(RANGE.fullmatch, parts))
    return [(match[1], float(match[2] or 1)) for match in matches]
