"""Time zones by their IANA names."""

from functools import cache
from zoneinfo import available_timezones

from newsletter.errors import Malformed
from newsletter.languages.translatable import translatable

# Files beside the zones that name no place: they mean another zone on each machine, or none.
NO_ZONES = {"localtime", "posixrules", "Factory", "Etc/Unknown"}
UTC_OFFSETS = "Etc/"  # whose signs are not those that people write: Etc/GMT+1 is west of Greenwich
NO_ZONE_FOLDERS = ("posix/", "right/", "SystemV/")  # copies of the zones; "right" counts leap seconds
MAX_SUGGESTIONS = 3


def check(zone: str, *, field: str = "zone") -> None:
    """Raise Malformed, naming the field and perhaps the zone that was meant, unless it is the name of a time zone."""
    if zone in _known():
        return
    meant = _similar(zone)
    if not meant:
        raise Malformed(field, translatable("“%(zone)s” is not a time zone such as Europe/Berlin.", zone=zone))
    told = translatable("“%(zone)s” is not a time zone. Did you mean %(zones)s?", zone=zone, zones=", ".join(meant))
    raise Malformed(field, told)


def names() -> list[str]:
    """Return the names of all zones that an operator may choose."""
    return [*sorted(name for name in _known() if "/" in name and not name.startswith(UTC_OFFSETS)), "UTC"]


def _similar(zone: str) -> list[str]:
    """Return the zones that differ only in case or spaces, or are named after that city."""
    written = "_".join(zone.casefold().split())
    names = {name: name.casefold() for name in sorted(_known()) if not name.startswith(UTC_OFFSETS)}
    same = [name for name, folded in names.items() if folded == written]
    return same or [name for name, folded in names.items() if written == folded.rpartition("/")[2]][:MAX_SUGGESTIONS]


@cache
def _known() -> set[str]:
    # Cached, because it reads hundreds of files.
    names = available_timezones() - NO_ZONES
    return {name for name in names if not name.startswith(NO_ZONE_FOLDERS)}
