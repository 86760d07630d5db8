"""Time zones by the abbreviations that feeds use, and by their IANA names."""

from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

# Abbreviations by hours ahead of UTC. One of several meanings has the one that most feeds mean: CST is North American,
# IST Indian, BST British.
ABBREVIATIONS: dict[float, str] = {
    -11: "sst",
    -10: "hst",
    -9: "akst",
    -8: "pst akdt hnp",
    -7: "mst pdt hnr hap",
    -6: "cst mdt hnc har galt",
    -5: "est cdt hne hac cot pet ect",
    -4: "ast edt hae clt bot vet pyt gyt",
    -3.5: "nst",
    -3: "adt art brt uyt clst gft",
    -2.5: "ndt",
    -2: "fnt",
    -1: "azot cvt",
    0: "z ut utc gmt wet uct zulu",
    1: "cet mez bst wat west met",
    2: "cest mesz eet oez cat sast mest",
    3: "eest oesz msk мск eat trt idt",
    3.5: "irst",
    4: "gst samt azt",
    4.5: "irdt aft",
    5: "pkt uzt yekt tmt mvt",
    5.5: "ist slst",
    5.75: "npt",
    6: "omst almt kgt bdt",
    6.5: "mmt",
    7: "wib ict krat novt hovt",
    8: "awst hkt sgt wita myt irkt pht phst",
    9: "jst kst wit yakt",
    9.5: "acst",
    10: "aest vlat chst pgt",
    10.5: "acdt lhst",
    11: "aedt magt nct",
    12: "nzst fjt pett",
    12.75: "chast",
    13: "nzdt",
    13.75: "chadt",
}
HOURS = {name: hours for hours, names in ABBREVIATIONS.items() for name in names.split()}
# What the abbreviation means in feeds of that language or region.
ELSEWHERE = {
    "ist": {"he": 2, "iw": 2, "il": 2, "ga": 1, "ie": 1},
    "bst": {"bn": 6, "bd": 6},
    "cst": {"zh": 8, "cn": 8, "tw": 8, "cu": -5},
    "cdt": {"cu": -4},
    "est": {"au": 10},
    "edt": {"au": 11},
    "ast": {"ar": 3},
    "gst": {"gs": -2},
    "mst": {"ms": 8, "my": 8},
    "pst": {"fil": 8, "tl": 8, "ph": 8},
    "sst": {"sg": 8},
    "wst": {"au": 8},
    "amt": {"hy": 4, "pt": -4, "br": -4},
}
# Names that say nothing about daylight saving time.
PLACES = {"et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles"}


def zone_named(name: str, language: str = "") -> tzinfo | None:
    """Return the zone with this name, in lower case; None if it is unknown.

    `language` (BCP 47) is the feed's, and decides what an ambiguous abbreviation means. A zone's standard time is what
    the abbreviation says, also for a date in summer.
    """
    if "/" in name:
        stored = _iana_names().get(name)
        return ZoneInfo(stored) if stored else None
    if place := PLACES.get(name):
        return ZoneInfo(place)
    meanings = ELSEWHERE.get(name, {})
    subtags = language.lower().replace("_", "-").split("-")
    hours = next((meanings[subtag] for subtag in reversed(subtags) if subtag in meanings), HOURS.get(name))
    if hours is None:
        return None
    return timezone(timedelta(hours=hours)) if hours else UTC


@cache
def _iana_names() -> dict[str, str]:
    # Cached, because it reads hundreds of files.
    return {name.lower(): name for name in available_timezones()}
