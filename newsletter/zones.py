"""Time zones, by their names in the IANA database."""

from functools import cache
from zoneinfo import available_timezones

from newsletter.errors import Malformed


def check(zone: str, *, field: str = "zone") -> None:
    """Raises Malformed, naming the field, unless this machine knows a time zone of that name."""
    if zone not in _known():
        raise Malformed(field, f"“{zone}” is not a time zone; name one like Europe/Berlin.")


@cache
def _known() -> set[str]:
    """Looked for once a process: it means to go through hundreds of files."""
    return available_timezones()
