"""Texts that are translated where the reader's language is known.

Code that raises an error or describes something does not know who reads it. It makes a translatable text: the English
text, which is also its key in the catalogues, and the values of its placeholders. `str` gives the English text, for
logs and the command line; `Language.text` gives a visitor's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Translatable:
    """A text with `%(name)s` for each value. With a plural, the value `n` decides between both texts."""

    singular: str
    plural: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the English text."""
        text = self.singular if self.plural is None or self.values["n"] == 1 else self.plural
        return text % self.values


def translatable(text: str, /, **values: Any) -> Translatable:
    """Return a translatable text, which must be a literal: extraction reads it from the source."""
    return Translatable(text, None, values)


def translatable_plural(singular: str, plural: str, n: int, /, **values: Any) -> Translatable:
    """Return a translatable text about a number, which is the value `n`. Both texts must be literals."""
    return Translatable(singular, plural, {"n": n, **values})
