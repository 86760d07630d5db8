"""Time zones by their IANA names."""

from functools import cache
from zoneinfo import available_timezones

from newsletter.errors import Malformed


def check(zone: str, *, field: str = "zone") -> None:
    """Raise Malformed, naming the field, unless this machine has a time zone of that name."""
    if zone not in _known():
        raise Malformed(field, f"“{zone}” is not a time zone such as Europe/Berlin.")


@cache
def _known() -> set[str]:
    # Cached, because it reads hundreds of files.
    return available_timezones()
