"""Explanations: a schedule in words says on which days it runs."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from newsletter.content.digests import recurrence
from newsletter.content.digests.explanation import DAY_NAMES, MONTH_NAMES, explain
from newsletter.errors import Malformed


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * *", "At 07:00 every day"),
        ("0 7 * * 1-5", "At 07:00 on Monday through Friday"),
        ("0 18 * * fri", "At 18:00 on Friday"),
        ("0 7 * * 5-7", "At 07:00 on Friday through Sunday"),
        ("0 7 * 1 *", "At 07:00 every day in January"),
        ("0 7 1 * *", "At 07:00 on the 1st day of every month"),
        ("0 7 L 3,6 *", "At 07:00 on the last day of March and June"),
        ("0 7 * * 1#1", "At 07:00 on the 1st Monday of every month"),
        ("0 7 * * 1#1,5L", "At 07:00 on the 1st Monday and the last Friday of every month"),
        # neither day field begins with a star: either is enough
        ("0 7 13 * 5", "At 07:00 on the 13th day of every month, and also on every Friday"),
        ("0 7 1,15 3 1-5", "At 07:00 on the 1st and 15th day of March, and also on Monday through Friday in March"),
        ("0 7 1-31 * 5", "At 07:00 every day"),
        ("0 7 13 * 0-6", "At 07:00 every day"),
        # one of them begins with a star: both must match
        ("0 7 */2 * 5", "At 07:00 on Friday, but only on the odd days of the month"),
        ("0 7 1-7 * */7", "At 07:00 on Sunday, but only on the 1st through 7th day of the month"),
        ("0 7 */1 * 5", "At 07:00 on Friday"),
        ("0 * * * *", "At the start of every hour"),
        ("0 * * * 1", "At the start of every hour on Monday"),
    ],
)
def test_a_schedule_is_explained_as_it_runs(cron, words):
    assert explain(cron) == words


NUMBERED = re.compile(
    r"the (\d[\w, ]*?) day\b|the (odd|even) days|(the last day)|(the last weekday \(Monday through Friday\))"
)
NTH = re.compile(rf"the (\d|last)\w* ({'|'.join(DAY_NAMES)})")
WORDS = {name: number for names in (DAY_NAMES, MONTH_NAMES) for number, name in enumerate(names)}


def items(text: str) -> set[int]:
    """Return the numbers of a list with ranges: "the 1st and 3rd through 5th", "Monday", "January and March"."""
    found = set()
    for part in re.split(r", and |, | and ", text):
        ends = [WORDS[end] if end in WORDS else int(re.sub(r"\D", "", end)) for end in part.split(" through ")]
        found |= set(range(ends[0], ends[-1] + 1))
    return found


def is_among_dates(text: str, day: date) -> bool:
    """Tell whether a phrase such as "the 1st and 15th day and the last day" includes the day."""
    is_last = (day + timedelta(days=1)).day == 1
    to_weekend = [day + timedelta(days=more) for more in range(1, 4)]
    is_last_weekday = day.weekday() < 5 and not any(
        each.month == day.month and each.weekday() < 5 for each in to_weekend
    )
    return any(
        (numbers and day.day in items(numbers))
        or (parity and day.day % 2 == (parity == "odd"))
        or (last and is_last)
        or (weekday and is_last_weekday)
        for numbers, parity, last, weekday in NUMBERED.findall(text)
    )


def is_among_weekdays(text: str, day: date) -> bool:
    """Tell whether a phrase such as "Monday and the last Friday" includes the day."""
    for number, name in NTH.findall(text):
        place = (day + timedelta(days=7)).month != day.month if number == "last" else (day.day + 6) // 7 == int(number)
        if place and WORDS[name] == day.weekday():
            return True
    plain = re.sub(r"(, and | and |, )?the (\d|last)\w* \w+day", "", text).replace("every ", "").strip()
    return bool(plain) and day.weekday() in items(plain)


def includes(words: str, day: date) -> bool:
    """Read the sentence as a visitor does: does the newsletter come on this day?"""
    if ", and also " in words:
        return any(includes(part, day) for part in words.split(", and also "))
    if ", but only on " in words:
        weekly, dates = words.split(", but only on ")
        return includes(weekly, day) and is_among_dates(dates, day)
    days, _, months = words.partition(" in ")
    if not months:
        days, _, months = words.partition(" of ")
    is_month = not months or months in ("every month", "the month") or day.month - 1 in items(months)
    days = days.removesuffix(" of the month").removesuffix(" of every month").removeprefix("on ")
    if not is_month or days == "every day":
        return is_month
    return (is_among_dates if NUMBERED.search(days) else is_among_weekdays)(days, day)


def fields(low: int, high: int, *special: str):
    number = st.integers(low, high).map(str)
    ranges = st.tuples(number, number).map(lambda ends: "-".join(sorted(ends, key=int)))
    steps = st.tuples(st.just("*") | ranges, st.integers(1, 9)).map(lambda parts: f"{parts[0]}/{parts[1]}")
    term = st.one_of(number, ranges, steps, st.just("*"), *map(st.just, special))
    return st.just("*") | st.lists(term, min_size=1, max_size=3).map(",".join)


crons = st.tuples(fields(1, 31, "L", "LW"), fields(1, 12), fields(0, 7, "5L", "1#2", "0#5")).map(" ".join)


@given(crons, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
@example("13 * 5", date(2026, 3, 12))
@example("*/2 * 5", date(2026, 3, 12))
@example("1-31 * 5", date(2026, 3, 12))
def test_the_days_in_words_are_the_days_on_which_it_runs(days, start):
    try:
        recurrence.check(f"0 7 {days}", "UTC")
    except Malformed:
        assume(False)
    after = datetime(start.year, start.month, start.day, tzinfo=UTC)
    dates = [start + timedelta(days=number) for number in range(70)]
    runs = {run.date() for run in recurrence.next_runs(f"0 7 {days}", "UTC", after=after, count=70)}
    words = explain(f"0 7 {days}").removeprefix("At 07:00 ")
    assert {day for day in dates if includes(words, day)} == runs & set(dates)


@given(fields(0, 59), fields(0, 23))
def test_every_time_of_day_can_be_explained(minute, hour):
    assert explain(f"{minute} {hour} * * *")
