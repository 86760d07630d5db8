"""The time zones among which a reader chooses, by part of the world, each known by a city in the reader's language."""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

from babel.core import get_global

from newsletter import zones
from newsletter.languages.languages import language
from newsletter.languages.translatable import Translatable, translatable

# What stands before the slash of a zone's name: the code of that part of the world in CLDR, or its name. Names with
# another word there are older names of zones that are listed anyway.
REGIONS: dict[str, str | Translatable] = {
    "Africa": "002",
    "America": "019",
    "Antarctica": "AQ",
    "Arctic": "150",  # Spitsbergen alone
    "Asia": "142",
    "Atlantic": translatable("Atlantic Ocean"),
    "Australia": "AU",
    "Europe": "150",
    "Indian": translatable("Indian Ocean"),
    "Pacific": "009",
}


class ZoneChoice(NamedTuple):
    """A zone to choose."""

    zone: str  # IANA
    city: str


class ZoneGroup(NamedTuple):
    """The zones of a part of the world, in the order of their cities."""

    region: str
    choices: list[ZoneChoice]


@lru_cache(maxsize=64)
def groups(tag: str) -> list[ZoneGroup]:
    """Return all zones in words of a language, none under two names."""
    spoken = language(tag)
    by_region: dict[str, list[ZoneChoice]] = {}
    for zone in _distinct().values():
        region = REGIONS[zone.partition("/")[0]]
        name = spoken.territory(region) if isinstance(region, str) else spoken.text(region)
        by_region.setdefault(name, []).append(ZoneChoice(zone, spoken.city(zone)))
    in_order = sorted(by_region.items(), key=lambda each: _sorted_as(each[0]))
    return [ZoneGroup(name, sorted(each, key=lambda choice: _sorted_as(choice.city))) for name, each in in_order]


def listed(zone: str) -> str:
    """Return the name under which `groups` lists a zone; the name itself if it lists none such, such as UTC."""
    return _distinct().get(_canonical(zone), zone)


def city(zone: str, tag: str) -> str:
    """Return the city by which a zone is known; the zone's name if it has none."""
    return language(tag).city(zone) if zone.partition("/")[0] in REGIONS else zone


@lru_cache(maxsize=1)
def _distinct() -> dict[str, str]:
    """Return one name of each zone by CLDR's name of it: the one that its city has in English today, else CLDR's own.

    CLDR keeps names that IANA has replaced: Asia/Calcutta.
    """
    names: dict[str, list[str]] = {}
    for zone in zones.names():
        if zone.partition("/")[0] in REGIONS:
            names.setdefault(_canonical(zone), []).append(zone)
    english = language("en")

    def suits(zone: str) -> tuple[bool, bool]:
        return zone.rpartition("/")[2] == english.city(zone).replace(" ", "_"), zone == _canonical(zone)

    return {canonical: max(same, key=suits) for canonical, same in names.items()}


def _canonical(zone: str) -> str:
    return str(get_global("zone_aliases").get(zone, zone))


def _sorted_as(text: str) -> str:
    """Return the text without accents: "Ålesund" stands beside "Alesund"."""
    return "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
