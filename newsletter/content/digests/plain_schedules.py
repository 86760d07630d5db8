"""Schedules as a form asks for them, in plain words, and the cron expressions that they mean. Pure.

Each plain schedule has an expression of its own, from which `read` returns the same schedule. Any other expression is
read as one that was written by hand.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.errors import Malformed

TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)|([01]?\d|2[0-3])")
NUMBER = re.compile(r"[1-9]?\d")
LAST_DAY = "last"
MONTH_DAYS = (*map(str, range(1, 32)), LAST_DAY)
WEEKDAYS = tuple(range(1, 8))  # Monday is 1, as in ISO 8601
MONDAY_TO_FRIDAY = "1-5"
CRON_LAST_DAY = "L"


class Pattern(StrEnum):
    """On which days a schedule runs."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"  # Monday to Friday
    WEEKLY = "weekly"  # on the chosen weekdays
    MONTHLY = "monthly"  # on a day of the month
    CRON = "cron"  # as the expression says


@dataclass(frozen=True, kw_only=True)
class PlainSchedule:
    """A schedule as the form holds it. Fields that the pattern does not use have their defaults."""

    pattern: Pattern
    days: tuple[int, ...] = ()  # weekdays, of WEEKLY
    day: str = "1"  # of MONTHLY: 1 to 31, or "last"
    time: str = "07:00"
    cron: str = ""  # of CRON

    def as_cron(self) -> str:
        """Return the cron expression. Raises Malformed, naming the form's field, for a value that is missing or bad."""
        if self.pattern is Pattern.CRON:
            return " ".join(self.cron.split())
        hour, minute = _time(self.time)
        return f"{minute} {hour} {self._days()}"

    def _days(self) -> str:
        match self.pattern:
            case Pattern.WEEKDAYS:
                return f"* * {MONDAY_TO_FRIDAY}"
            case Pattern.WEEKLY:
                if not self.days or not set(self.days) <= set(WEEKDAYS):
                    raise Malformed("days", "Choose at least one weekday.")
                return f"* * {','.join(map(str, sorted(set(self.days))))}"
            case Pattern.MONTHLY:
                if self.day not in MONTH_DAYS:
                    raise Malformed("day", "Enter a day of the month, 1 to 31, or the last day.")
                return f"{CRON_LAST_DAY if self.day == LAST_DAY else self.day} * *"
        return "* * *"


def read(cron: str) -> PlainSchedule:
    """Return the plain schedule that an expression means; one of the pattern CRON if none means exactly this."""
    parts = cron.split()
    by_hand = PlainSchedule(pattern=Pattern.CRON, cron=" ".join(parts))
    if len(parts) != 5:
        return by_hand
    minute, hour, date, month, weekday = parts
    if month != "*" or not (_is_number(minute, 59) and _is_number(hour, 23)):
        return by_hand
    time = f"{int(hour):02}:{int(minute):02}"
    if date == "*":
        return _read_weekdays(weekday, time) or by_hand
    day = LAST_DAY if date.upper() == CRON_LAST_DAY else date
    if weekday != "*" or day not in MONTH_DAYS:
        return by_hand
    return PlainSchedule(pattern=Pattern.MONTHLY, day=day, time=time)


def _read_weekdays(weekday: str, time: str) -> PlainSchedule | None:
    if weekday == "*":
        return PlainSchedule(pattern=Pattern.DAILY, time=time)
    if weekday == MONDAY_TO_FRIDAY:
        return PlainSchedule(pattern=Pattern.WEEKDAYS, time=time)
    numbers = weekday.split(",")
    if not all(_is_number(number, 7) for number in numbers):
        return None
    days = {int(number) or 7 for number in numbers}  # cron counts Sunday as 0 or as 7
    return PlainSchedule(pattern=Pattern.WEEKLY, days=tuple(sorted(days)), time=time)


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and NUMBER.fullmatch(text) is not None and int(text) <= most


def _time(text: str) -> tuple[int, int]:
    found = TIME.fullmatch(text.strip()) if text.isascii() else None
    if found is None:
        raise Malformed("time", f"“{text.strip()}” is not a time. Enter one like 07:00 or 18:30.")
    hour, minute, whole = found.groups()
    return int(hour or whole), int(minute or 0)
