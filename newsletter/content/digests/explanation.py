"""Explain a cron expression in English, exactly as it runs.

The days are read from what the scheduler computed, not from the expression's text: whether a day must match both the
day of the month and the weekday, or either of them, depends on which of the two fields begins with a star.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from cronsim import CronSim
from cronsim.explain import Expression

MONTH_DAYS = frozenset(range(1, 32))
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MIN_RANGE = 3  # neighbors, to be told as a range
SUFFIXES = {1: "st", 2: "nd", 3: "rd"}


def explain(cron: str) -> str:
    """Return a valid five-part expression in words: "At 07:00 on Monday through Friday"."""
    schedule = CronSim(cron, datetime(2000, 1, 1))  # noqa: DTZ001 - wall-clock time has no zone
    times, are_single_times = Expression(cron.upper().split()).translate_time()
    words = times[0].upper() + times[1:]
    days = _days(schedule)
    if days == "every day" and not are_single_times:
        return words  # "At the start of every hour"
    return f"{words} {days}"


def _days(schedule: CronSim) -> str:
    """Return the days on which the schedule runs."""
    is_any_date = schedule.days >= MONTH_DAYS
    is_any_weekday = len(_places(schedule)) == len(DAY_NAMES)
    months = _months(schedule.months)
    if (is_any_date and is_any_weekday) or (not schedule.day_and and (is_any_date or is_any_weekday)):
        return f"every day in {months}" if months else "every day"
    if is_any_date:
        return _weekdays(schedule, months)
    if is_any_weekday:
        return f"on {_dates(schedule.days)} of {months or 'every month'}"
    if schedule.day_and:
        return f"{_weekdays(schedule, months)}, but only on {_dates(schedule.days)} of the month"
    dates = f"on {_dates(schedule.days)} of {months or 'every month'}"
    return f"{dates}, and also {_weekdays(schedule, months, each='every ')}"


def _dates(days: Iterable[int]) -> str:
    """Return days of a month: "the 1st, 2nd, and 15th day", "the last day"."""
    numbers = sorted(day for day in days if day > 0)
    parts = [_numbered(numbers)] if numbers else []
    parts += ["the last day"] if CronSim.LAST in days else []
    parts += ["the last weekday (Monday through Friday)"] if CronSim.LAST_WEEKDAY in days else []
    return _joined(parts)


def _numbered(days: Sequence[int]) -> str:
    for first, word in ((1, "odd"), (2, "even")):
        if list(days) == list(range(first, 32, 2)):
            return f"the {word} days"
    return f"the {_joined(_ranges([_ordinal(day) for day in days], days))} day"


def _weekdays(schedule: CronSim, months: str, *, each: str = "") -> str:
    """Return "on Monday through Friday", "on the 1st Monday of every month"; `each` stands before single weekdays."""
    places = _places(schedule)
    weekly = _ranges([DAY_NAMES[place] for place in places], places)
    weekly = [part if "through" in part else each + part for part in weekly]
    monthly = {(item[1], (item[0] - 1) % 7) for item in schedule.weekdays if isinstance(item, tuple)}
    later_last = sorted(monthly, key=lambda item: (item[0] < 0, item))
    rest = [f"the {_nth(number)} {DAY_NAMES[place]}" for number, place in later_last if place not in places]
    if not rest:
        return f"on {_joined(weekly)}{f' in {months}' if months else ''}"
    if not weekly:
        return f"on {_joined(rest)} of {months or 'every month'}"
    return f"on {_joined([*weekly, *rest])} of the month{f' in {months}' if months else ''}"


def _places(schedule: CronSim) -> list[int]:
    """Return the weekdays on which the schedule runs in every week, Monday as 0. Cron counts Sunday as 0 or as 7."""
    return sorted({(weekday - 1) % 7 for weekday in schedule.weekdays if isinstance(weekday, int)})


def _months(months: Iterable[int]) -> str:
    """Return the names of the months; nothing if it is every month."""
    numbers = sorted(months)
    return "" if len(numbers) == 12 else _joined(_ranges([MONTH_NAMES[number - 1] for number in numbers], numbers))


def _ranges(names: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Return the names, three or more neighbors as "first through last"."""
    runs: list[list[int]] = []
    for place, number in enumerate(numbers):
        if runs and numbers[runs[-1][-1]] == number - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    told: list[str] = []
    for run in runs:
        if len(run) >= MIN_RANGE:
            told.append(f"{names[run[0]]} through {names[run[-1]]}")
        else:
            told += [names[place] for place in run]
    return told


def _joined(parts: Sequence[str]) -> str:
    *first, last = parts
    if not first:
        return last
    return f"{', '.join(first)}, and {last}" if len(first) > 1 else f"{first[0]} and {last}"


def _nth(number: int) -> str:
    return _ordinal(number) if number > 0 else "last"


def _ordinal(number: int) -> str:
    suffix = "th" if number in (11, 12, 13) else SUFFIXES.get(number % 10, "th")
    return f"{number}{suffix}"
