"""A page that is rendered once, with places that are filled with the values of each visitor.

Rendering costs more than the rest of a sign-up's answer, and most of the page is the same for everybody.
"""

import re
import secrets
from collections.abc import Mapping

from markupsafe import Markup, escape

# Drawn anew in each process: no newsletter's name and nothing that a visitor enters contains it.
MARK = f"place{secrets.token_hex(12)}"
PLACE = re.compile(f"{MARK}-([a-z]+)-")


def place(name: str) -> str:
    """Return the text that marks a place in a template's context; `name` has letters from a to z only."""
    return f"{MARK}-{name}-"


class FilledPage:
    """The parts of a rendered page between its places."""

    def __init__(self, html: str) -> None:
        self._parts = PLACE.split(html)  # text and names of places in turns
        self._places = self._parts[1::2]
        self._names = set(self._places)

    def filled(self, values: Mapping[str, str | Markup]) -> bytes:
        """Return the page with these values, escaped unless they are Markup. Raises KeyError if one is missing."""
        written = {name: escape(values[name]) for name in self._names}
        parts = self._parts.copy()
        parts[1::2] = [written[name] for name in self._places]
        return "".join(parts).encode()
