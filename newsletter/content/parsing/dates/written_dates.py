"""Read dates as programs and people write them: RFC 822, asctime, ISO 8601 with separators, words of any language."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import takewhile

from newsletter.content.parsing.dates import calendars, date_names
from newsletter.content.parsing.dates.date_text import words_and_numbers
from newsletter.content.parsing.dates.times_of_day import times_in
from newsletter.content.parsing.dates.timestamps import in_utc

DOTTED = re.compile(r"\d\. ?\d")
MAX_WORDS = 8  # in the name of a month
# A program writes them in English into feeds of any language. Some of them are months elsewhere.
WEEKDAYS = frozenset(["mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"])


def readings(text: str, language: str) -> Iterator[datetime]:
    """Yield the moments that a normalized text may mean, the likeliest first.

    A month without a day is its first day; a year alone says too little.
    """
    for time in times_in(calendars.with_common_years(text), language):
        for day in _days(time.rest, language):
            with suppress(OverflowError):
                try:
                    yield in_utc(day, time.hour, time.minute, time.second, zone=time.zone)
                except ValueError:  # the day counts even if the time is 25:00
                    yield in_utc(day)


def _days(text: str, language: str) -> Iterator[date]:
    parts = words_and_numbers(text)
    numbers = [part for part in parts if part.isdecimal()]
    if not 1 <= len(numbers) <= 3 or max(map(len, numbers)) > 4:
        return
    if len(numbers) == 3:
        yield from _existing(_of_numbers(numbers, is_month_first=_is_month_first(text, language)))
    if month := _month(parts, language):
        yield from _existing(_of_month(month, numbers[:2]))
    elif len(numbers) == 2:
        yield from _existing(_of_year_and_month(*numbers))


def _existing(dates: Iterator[tuple[int, int, int]]) -> Iterator[date]:
    for year, month, day in dates:
        with suppress(ValueError):
            yield calendars.day_of(year, month, day)


def _of_numbers(numbers: Sequence[str], *, is_month_first: bool) -> Iterator[tuple[int, int, int]]:
    """Yield the years, months and days that three numbers may mean; such a date may not exist."""
    first, second, third = numbers
    if len(first) == 4:
        yield _year(first), int(second), int(third)
        yield _year(first), int(third), int(second)
        return
    for is_month in (is_month_first, not is_month_first):
        month, day = (first, second) if is_month else (second, first)
        yield _year(third), int(month), int(day)
    if len(third) <= 2:
        yield _year(first), int(second), int(third)


def _of_year_and_month(first: str, second: str) -> Iterator[tuple[int, int, int]]:
    year, month = (first, second) if len(first) == 4 else (second, first)
    if len(year) == 4:
        yield _year(year), int(month), 1


def _of_month(month: int, numbers: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the year, month and day that a named month and one or two numbers may mean."""
    if len(numbers) == 1:
        if len(numbers[0]) == 4:
            yield _year(numbers[0]), month, 1
        return
    first, second = numbers
    if len(first) <= 2:
        yield _year(second), month, int(first)
    if len(second) <= 2:
        yield _year(first), month, int(second)


def _year(digits: str) -> int:
    """Return the year; RFC 5322 section 4.3 says what two and three digits mean."""
    year = int(digits)
    if len(digits) < 4:
        return year + (2000 if year < 50 else 1900)
    return calendars.common_year(year)


def _is_month_first(text: str, language: str) -> bool:
    """Return whether 04/05/2026 is in April. With dots, the day is first wherever people write dots."""
    names = None if DOTTED.search(text) else date_names.of_language(language)
    return names is not None and names.is_month_first


def _month(parts: Sequence[str], language: str) -> int | None:
    """Return the month that is named: in the feed's language or in English, else in any language."""
    if month := calendars.solar_hijri_month(parts):
        return month
    near = date_names.near(language)
    if month := _find(parts, [names.months.get for names in near] + [names.month_like for names in near]):
        return month
    every = date_names.of_all_languages()
    parts = [part for part in parts if part not in WEEKDAYS]
    return _find(parts, [every.months.get, every.month_like])


def _find(parts: Sequence[str], lookups: Sequence[Callable[[str], int | None]]) -> int | None:
    """Return the month that the first successful lookup finds.

    Of several names, the last before a number counts: in “mar, 24 nov 2026”, mar is a day of the week.
    """
    is_before_number = [any(part.isdecimal() for part in parts[at:]) for at in range(len(parts))]
    for lookup in lookups:
        months = [(is_before_number[at], at, month) for at, month in _named(parts, lookup)]
        if months:
            return max(months)[2]
    return None


def _named(parts: Sequence[str], lookup: Callable[[str], int | None]) -> Iterator[tuple[int, int]]:
    """Yield the places of the names that the lookup knows, the longest from each place, and their months."""
    at = 0
    while at < len(parts):
        words = list(takewhile(lambda part: not part.isdecimal(), parts[at : at + MAX_WORDS]))
        found = ((count, lookup("".join(words[:count]))) for count in range(len(words), 0, -1))
        count, month = next(((count, month) for count, month in found if month), (1, None))
        if month:
            yield at, month
        at += count
