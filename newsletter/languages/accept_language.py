"""Read the header Accept-Language (RFC 9110 section 12.5.4)."""

import re

MAX_CHARACTERS = 1000  # of the header that are read; browsers send less than 100
RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def wanted(header: str) -> list[str]:
    """Return the language tags that the header asks for, the most wanted first.

    Refused ones (q=0) are left out, and so is `*`, which asks for nothing: who wants any language gets the default.
    Parts that are no language range, and those beyond MAX_CHARACTERS, are ignored.
    """
    parts = header[:MAX_CHARACTERS].split(",")
    if len(header) > MAX_CHARACTERS:
        parts.pop()  # it may be cut off
    matches = filter(None, map(RANGE.fullmatch, parts))
    weighed = [(match[1], float(match[2] or 1)) for match in matches]
    return [tag for tag, quality in sorted(weighed, key=lambda pair: -pair[1]) if quality]
