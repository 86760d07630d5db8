"""Find the time of day and its zone in the text of a date."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo

from newsletter.content.parsing.dates import date_names
from newsletter.content.parsing.dates.date_text import words
from newsletter.content.parsing.dates.timestamps import distance
from newsletter.content.parsing.dates.zone_names import zone_named

COMMENT = re.compile(r"\([^()]*\d[^()]*\)")  # RFC 5322 section 3.2.2; one without digits may name the zone
COLONS = re.compile(r"(?<![\d:])(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,:]\d{1,9})?)?(?![\d:])")
HOUR = re.compile(r"(?<=\dt)(\d\d)()()(?=z|[+-]\d\d|$)")
HOUR_WORDS = re.compile(
    r"(?<!\d)(\d{1,2}) ?(?:uhr\b|h(?![^\W\d])|時|时|点|點|시)(?: ?(\d\d?)(?![\d.])(?: ?[分분](?: ?(\d\d?) ?[秒초])?)?)?"
)
TWELVE_HOURS = re.compile(r"(?<![\d.:])(\d{1,2})(?:\.(\d\d))?()(?= ?[ap]\.? ?m\b)")
DOTS = re.compile(r"(?<![\d.])(\d{1,2})\.(\d\d)(?:\.(\d\d))?(?![\d.])")
OFFSET = re.compile(r"[^\d+-]*(?<![^\s(a-z])([+-]\d\d?(?::?\d\d)?)(?![\d/.-])")
PLACE = re.compile(r"[^\d/+-]*?([a-z]+(?:/[a-z_-]+)+(?:[+-]\d\d?)?)")
DIGIT = re.compile(r"\d")
LETTERS = re.compile(r"[^\W\d_]+")
MAX_WORDS = 3  # in the name of a part of the day, and between a time and its zone


@dataclass(frozen=True, kw_only=True)
class TimeOfDay:
    """A time of day that may not exist, such as 25:00, its zone, and the text without it."""

    hour: int = 0
    minute: int = 0
    second: int = 0
    zone: tzinfo = UTC
    rest: str


def times_in(text: str, language: str) -> Iterator[TimeOfDay]:
    """Yield what may be the time of day in a normalized text, the likeliest first; at last midnight."""
    text = COMMENT.sub(" ", text)
    matches = [*filter(None, (form.search(text) for form in (COLONS, HOUR, HOUR_WORDS, TWELVE_HOURS)))]
    for match in [*matches, *reversed(list(DOTS.finditer(text)))]:
        before, after = text[: match.start()], text[match.end() :]
        hour, minute, second = (int(part or 0) for part in match.groups())
        zone, after = _zone(after, language)
        if hour <= 12:
            hour = _of_24(hour, _period(before, after, language))
        yield TimeOfDay(hour=hour, minute=minute, second=second, zone=zone, rest=f"{before} {after}")
    yield TimeOfDay(rest=text)


def _zone(after: str, language: str) -> tuple[tzinfo, str]:
    """Return the zone that follows a time, UTC if none does, and the text without it."""
    if (place := PLACE.match(after)) and (zone := zone_named(place[1])):
        return zone, after[: place.start(1)] + after[place.end() :]
    if (offset := OFFSET.match(after)) and (zone := distance(offset[1])):
        return zone, after[: offset.start(1)] + " " + after[offset.end() :]
    for name in LETTERS.findall(_until_digit(after))[:MAX_WORDS]:
        if zone := zone_named(name, language):
            return zone, after.replace(name, " ", 1)
    return UTC, after


def _period(before: str, after: str, language: str) -> str:
    """Return the part of the day that stands beside a time: am, pm or night; empty if none does."""
    following = words(_until_digit(after))[:MAX_WORDS]
    preceding = words(_until_digit(before[::-1])[::-1])[-MAX_WORDS:]
    names = ["".join(following[:count]) for count in range(len(following), 0, -1)]
    names += ["".join(preceding[at:]) for at in range(len(preceding))]
    names += [word[-2:] for word in preceding[-1:]]  # Chinese joins the part of the day to the day of the week
    names = [name for name in names if (len(name) > 1 or not name.isascii()) and not zone_named(name)]
    for known in date_names.near(language):
        if period := _first(names, known.periods):
            return period
    return _first(names, date_names.of_all_languages().periods) if names else ""


def _first(names: Iterable[str], periods: Mapping[str, str]) -> str:
    return next((periods[name] for name in names if name in periods), "")


def _until_digit(text: str) -> str:
    return DIGIT.split(text, maxsplit=1)[0]


def _of_24(hour: int, period: str) -> int:
    """Return the hour of 24 that an hour of 12 is in that part of the day."""
    if not period:
        return hour
    is_before_midnight = period == "night" and 6 <= hour < 12
    return hour % 12 + 12 * (period == "pm" or is_before_midnight)
