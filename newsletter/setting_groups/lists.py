"""Read settings that are lists, separated by commas."""

from collections.abc import Callable
from typing import Any

from newsletter.errors import NewsletterError


def comma_separated(value: Any) -> Any:
    """Return the parts of a text without blanks around them; any other value stays."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def each(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return a validator that parses every part of a comma-separated list; parts that are not text stay."""

    def parse_parts(value: Any) -> Any:
        try:
            return tuple(parse(part) if isinstance(part, str) else part for part in comma_separated(value))
        except NewsletterError as error:
            raise ValueError(str(error)) from None

    return parse_parts
