"""Read the dates that are one number or one compact word: time since 1970, and ISO 8601 without separators."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 15: 10**6, 16: 10**6, 18: 10**9, 19: 10**9}  # in a second, by digits
SINCE_1970 = re.compile(r"(?:@|/date\()?([1-9]\d{8,18})(?:[.,]\d{1,9}|[+-]\d{4})?(?:\)/)?")  # date(1) as PHP and .NET
# ISO 8601-1:2019: calendar, week and ordinal dates (5.2), the time of day (5.3), its distance from UTC (5.3.4).
COMPACT = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d\d)-?(?P<day>\d\d)|-?w(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?|-?(?P<ordinal>\d{3}))"
    r"(?:[t -]?(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,]\d{1,9})?)?)?"
    r" ?(?:z|utc|gmt|(?P<offset>[+-]\d\d(?::?\d\d)?))?)?"
)
OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d\d)?")


def readings(text: str) -> Iterator[datetime]:
    """Yield the moments that a normalized text may mean, the likeliest first; none if it is no timestamp."""
    if (number := SINCE_1970.fullmatch(text)) and (unit := UNITS.get(len(number[1]))):
        yield EPOCH + timedelta(seconds=int(number[1]) // unit)
    if compact := COMPACT.fullmatch(text):
        with suppress(ValueError, OverflowError):
            clock = [int(compact[part] or 0) for part in ("hour", "minute", "second")]
            yield in_utc(_day(compact), *clock, zone=distance(compact["offset"] or "") or UTC)


def in_utc(day: date, hour: int = 0, minute: int = 0, second: int = 0, *, zone: tzinfo = UTC) -> datetime:
    """Return that local time in UTC; 24:00 is the next midnight, and a leap second is the second before.

    Raises ValueError or OverflowError for a time that does not exist.
    """
    is_next_day = (hour, minute, second) == (24, 0, 0)
    clock = time(0 if is_next_day else hour, minute, 59 if second == 60 else second)
    return (datetime.combine(day, clock, zone) + timedelta(days=is_next_day)).astimezone(UTC)


def distance(text: str) -> timezone | None:
    """Return the zone that lies so far from UTC, such as +0100 and -5; None if the text is no such distance."""
    offset = OFFSET.fullmatch(text)
    if not offset or int(offset[2]) > 15 or int(offset[3] or 0) > 59:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return timezone(ahead if offset[1] == "+" else -ahead)


def _day(compact: re.Match[str]) -> date:
    year = int(compact["year"])
    if compact["week"]:
        return date.fromisocalendar(year, int(compact["week"]), int(compact["weekday"] or 1))
    if compact["ordinal"]:
        day = date(year, 1, 1) + timedelta(days=int(compact["ordinal"]) - 1)
        if day.year != year:
            raise ValueError(compact["ordinal"])
        return day
    return date(year, int(compact["month"]), int(compact["day"]))
