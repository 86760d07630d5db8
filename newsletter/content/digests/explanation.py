"""Explain when digests are sent, in words of any language, exactly as their cron expressions run.

The days are read from what the scheduler computed, not from the expression's text: whether a day must match both the
day of the month and the weekday, or either of them, depends on which of the two fields begins with a star.

Names of days stand in the nominative wherever a sentence is put together, because a catalogue cannot decline them.
Common schedules have phrases of their own; rare ones list their days in brackets, which is right in every language.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from cronsim import CronSim

from newsletter.languages.languages import ENGLISH, Language
from newsletter.languages.translatable import Translatable, translatable, translatable_plural

MONTH_DAYS = frozenset(range(1, 32))
WEEK = frozenset(range(7))  # Monday is 0
MONDAY_TO_FRIDAY = frozenset(range(5))
MAX_TIMES = 6  # of a day that are listed
MIN_RANGE = 3  # neighbors, to be told as a range

EACH_WEEKDAY = (
    translatable("Every Monday"),
    translatable("Every Tuesday"),
    translatable("Every Wednesday"),
    translatable("Every Thursday"),
    translatable("Every Friday"),
    translatable("Every Saturday"),
    translatable("Every Sunday"),
)
ORDINALS = {
    # Translators: a short form that suits any weekday, as in: the 1st Monday
    1: translatable("1st"),
    2: translatable("2nd"),
    3: translatable("3rd"),
    4: translatable("4th"),
    5: translatable("5th"),
}


@dataclass(frozen=True)
class DigestSchedule:
    """When a newsletter's digests are sent. Templates write `{{ schedule | text }}`; `str` is English."""

    runs: tuple[tuple[str, str], ...]  # cron expression and time zone of each digest

    def in_words(self, spoken: Language) -> str:
        """Return a sentence for each digest: "Monday to Friday at 07:00 (Europe/Berlin)."."""
        return " ".join(_sentence(cron, zone, spoken) for cron, zone in self.runs)

    def __str__(self) -> str:
        """Return the English sentences."""
        return self.in_words(ENGLISH)


def _sentence(cron: str, zone: str, spoken: Language) -> str:
    schedule = CronSim(cron, datetime(2000, 1, 1))  # noqa: DTZ001 - wall-clock time has no zone
    days, times = _days(schedule, spoken), _times(schedule, spoken)
    if len(schedule.months) == 12:
        # Translators: as in: Every Friday at 18:00 (Europe/Berlin).
        return spoken.text(translatable("%(days)s %(times)s (%(zone)s).", days=days, times=times, zone=zone))
    months = spoken.listed(spoken.month(month) for month in sorted(schedule.months))
    sentence = translatable(
        "%(days)s %(times)s, only in %(months)s (%(zone)s).", days=days, times=times, months=months, zone=zone
    )
    return spoken.text(sentence)


def _times(schedule: CronSim, spoken: Language) -> Translatable:
    """Return "at 07:00 and 18:00", "24 times between 00:00 and 23:00"."""
    times = [f"{hour:02}:{minute:02}" for hour, minute in product(sorted(schedule.hours), sorted(schedule.minutes))]
    if len(times) <= MAX_TIMES:
        # Translators: as in: at 07:00 and 18:00
        return translatable("at %(times)s", times=spoken.listed(times))
    return translatable_plural(
        "%(n)s time between %(first)s and %(last)s",
        "%(n)s times between %(first)s and %(last)s",
        len(times),
        first=times[0],
        last=times[-1],
    )


def _days(schedule: CronSim, spoken: Language) -> Translatable:
    """Return the days on which the schedule runs, as the beginning of a sentence."""
    weekly = _weekly(schedule)
    is_any_date, is_any_weekday = schedule.days >= MONTH_DAYS, weekly == WEEK
    if (is_any_date and is_any_weekday) or (not schedule.day_and and (is_any_date or is_any_weekday)):
        return translatable("Every day")
    if is_any_date:
        return _only_weekdays(schedule, spoken)
    if is_any_weekday:
        return _only_dates(schedule, spoken)
    weekdays, dates = _weekday_items(schedule, spoken), _date_items(schedule)
    if schedule.day_and:
        return translatable(
            "On certain days of the month (%(days)s, but only on these: %(dates)s)",
            days=_listed(weekdays, spoken),
            dates=_listed(dates, spoken),
        )
    return _certain([*dates, *weekdays], spoken)


def _only_weekdays(schedule: CronSim, spoken: Language) -> Translatable:
    weekly, monthly = _weekly(schedule), _monthly(schedule)
    if monthly:
        (number, weekday), *others = monthly
        name = spoken.weekday(weekday)
        if weekly or others:
            return _certain(_weekday_items(schedule, spoken), spoken)
        if number < 0:
            return translatable("On the last %(weekday)s of the month", weekday=name)
        # Translators: as in: On the 1st Monday of the month; the weekday is in the nominative
        return translatable("On the %(nth)s %(weekday)s of the month", nth=ORDINALS[number], weekday=name)
    if weekly == MONDAY_TO_FRIDAY:
        return translatable("Monday to Friday")
    if len(weekly) == 1:
        return EACH_WEEKDAY[min(weekly)]
    names = spoken.listed(spoken.weekday(weekday) for weekday in sorted(weekly))
    # Translators: a list of names in the nominative; write it after a colon if a preposition would change them
    return translatable("Every week on %(weekdays)s", weekdays=names)


def _only_dates(schedule: CronSim, spoken: Language) -> Translatable:
    numbers = _numbers(schedule)
    if schedule.days == {1}:
        return translatable("On the first day of the month")
    if schedule.days == {CronSim.LAST}:
        return translatable("On the last day of the month")
    if schedule.days == {CronSim.LAST_WEEKDAY}:
        return translatable("On the last weekday (Monday to Friday) of the month")
    if schedule.days > set(numbers) or len(numbers) >= MIN_RANGE:
        return _certain(_date_items(schedule), spoken)
    days = spoken.listed(map(spoken.number, numbers))
    return translatable_plural("On day %(days)s of the month", "On days %(days)s of the month", len(numbers), days=days)


def _certain(items: Sequence[Translatable], spoken: Language) -> Translatable:
    # Translators: as in: (day 13 and every Friday)
    return translatable("On certain days of the month (%(days)s)", days=_listed(items, spoken))


def _listed(items: Sequence[Translatable], spoken: Language) -> str:
    return spoken.listed(map(spoken.text, items))


def _date_items(schedule: CronSim) -> list[Translatable]:
    """Return days of a month: "day 1", "days 3 to 9", "the last day"."""
    items = []
    for first, last in _ranges(_numbers(schedule)):
        days = range(first, last + 1)
        if len(days) >= MIN_RANGE:
            items.append(translatable("days %(first)s to %(last)s", first=first, last=last))
        else:
            items += [translatable("day %(day)s", day=day) for day in days]
    if CronSim.LAST in schedule.days:
        items.append(translatable("the last day"))
    if CronSim.LAST_WEEKDAY in schedule.days:
        items.append(translatable("the last weekday (Monday to Friday)"))
    return items


def _weekday_items(schedule: CronSim, spoken: Language) -> list[Translatable]:
    """Return weekdays of a month: "every Friday", "the 1st Monday", "the last Friday"."""
    # Translators: the weekday is in the nominative, whatever its gender; write: weekly: Friday, if needed
    items = [translatable("every %(weekday)s", weekday=spoken.weekday(day)) for day in sorted(_weekly(schedule))]
    for number, weekday in _monthly(schedule):
        name = spoken.weekday(weekday)
        if number < 0:
            items.append(translatable("the last %(weekday)s", weekday=name))
        else:
            items.append(translatable("the %(nth)s %(weekday)s", nth=ORDINALS[number], weekday=name))
    return items


def _numbers(schedule: CronSim) -> list[int]:
    return sorted(day for day in schedule.days if day > 0)


def _weekly(schedule: CronSim) -> set[int]:
    """Return the weekdays on which the schedule runs in every week. Cron counts Sunday as 0 or as 7."""
    return {(weekday - 1) % 7 for weekday in schedule.weekdays if isinstance(weekday, int)}


def _monthly(schedule: CronSim) -> list[tuple[int, int]]:
    """Return the weekdays of one week of each month, with its number or a negative one for the last."""
    weekly = _weekly(schedule)
    found = {(item[0], item[1]) for item in schedule.weekdays if isinstance(item, tuple)}
    monthly = {(number, (weekday - 1) % 7) for weekday, number in found}
    return sorted((item for item in monthly if item[1] not in weekly), key=lambda item: (item[0] < 0, item))


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last number of each run of neighbors."""
    for place, number in enumerate(numbers):
        if not place or numbers[place - 1] != number - 1:
            first = number
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield first, number
