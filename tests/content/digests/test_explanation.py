"""Explanations: a schedule in words says on which days it runs."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from newsletter.content.digests import recurrence
from newsletter.content.digests.explanation import DigestSchedule
from newsletter.errors import Malformed
from newsletter.languages import catalogues
from newsletter.languages.languages import ENGLISH, language

DAY_NAMES = [ENGLISH.weekday(number) for number in range(7)]
MONTH_NAMES = [ENGLISH.month(number) for number in range(1, 13)]


def explain(cron: str) -> str:
    return str(DigestSchedule(((cron, "UTC"),))).removesuffix(" (UTC).")


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * *", "Every day at 07:00"),
        ("0 7,18 * * *", "Every day at 07:00 and 18:00"),
        ("0 7 * * 1-5", "Monday to Friday at 07:00"),
        ("0 18 * * fri", "Every Friday at 18:00"),
        ("0 7 * * 5-7", "Every week on Friday, Saturday and Sunday at 07:00"),
        ("0 7 * 1 *", "Every day at 07:00, only in January"),
        ("0 7 1 * *", "On the first day of the month at 07:00"),
        ("0 7 15 * *", "On day 15 of the month at 07:00"),
        ("0 7 1,15 * *", "On days 1 and 15 of the month at 07:00"),
        ("0 7 L 3,6 *", "On the last day of the month at 07:00, only in March and June"),
        ("0 7 LW * *", "On the last weekday (Monday to Friday) of the month at 07:00"),
        ("0 7 * * 1#1", "On the 1st Monday of the month at 07:00"),
        ("0 7 * * 5L", "On the last Friday of the month at 07:00"),
        ("0 7 * * 1#1,5L", "On certain days of the month (the 1st Monday and the last Friday) at 07:00"),
        # neither day field begins with a star: either is enough
        ("0 7 13 * 5", "On certain days of the month (day 13 and every Friday) at 07:00"),
        ("0 7 1-31 * 5", "Every day at 07:00"),
        ("0 7 13 * 0-6", "Every day at 07:00"),
        # one of them begins with a star: both must match
        ("0 7 1-7 * */7", "On certain days of the month (every Sunday, but only on these: days 1 to 7) at 07:00"),
        ("0 7 */1 * 5", "Every Friday at 07:00"),
        ("0 * * * *", "Every day 24 times between 00:00 and 23:00"),
        ("*/15 9-17 * * 1", "Every Monday 36 times between 09:00 and 17:45"),
    ],
)
def test_a_schedule_is_explained_as_it_runs(cron, words):
    assert explain(cron) == words


def test_several_digests_are_told_in_sentences_of_their_own():
    schedule = DigestSchedule((("0 7 * * *", "Europe/Berlin"), ("0 18 * * 5", "UTC")))
    assert str(schedule) == "Every day at 07:00 (Europe/Berlin). Every Friday at 18:00 (UTC)."


@pytest.mark.parametrize("tag", catalogues.LANGUAGES)
def test_every_language_tells_the_time_the_days_and_the_zone(tag):
    spoken = language(tag)
    for cron in ("30 7,18 * * 2,4", "30 7,18 6 3 *", "30 7,18 * 3 4#1"):
        words = spoken.text(DigestSchedule(((cron, "Europe/Berlin"),)))
        names = [spoken.weekday(1)] * ("2,4" in cron) + [spoken.weekday(3)] * cron.endswith(("4", "4#1"))
        names += [spoken.month(3)] * (" 3 " in cron) + ["6"] * (" 6 " in cron)
        assert [name for name in ("07:30", "18:30", "Europe/Berlin", *names) if name not in words] == []


def is_among(phrase: str, day: date) -> bool:
    """Tell whether an item such as "days 3 to 9", "every Friday" or "the last day" includes the day."""
    to_weekend = [day + timedelta(days=more) for more in range(1, 4)]
    is_last = to_weekend[0].month != day.month
    if phrase == "the last day":
        return is_last
    if phrase.startswith("the last weekday"):
        return day.weekday() < 5 and not any(each.month == day.month and each.weekday() < 5 for each in to_weekend)
    if phrase.startswith("day"):
        first, *last = map(int, re.findall(r"\d+", phrase))
        return first <= day.day <= (last[0] if last else first)
    if phrase.startswith("the last"):
        return (day + timedelta(days=7)).month != day.month and phrase.endswith(DAY_NAMES[day.weekday()])
    number = re.search(r"\d", phrase)
    return phrase.endswith(DAY_NAMES[day.weekday()]) and (not number or (day.day + 6) // 7 == int(number[0]))


def items(text: str) -> list[str]:
    return re.split(r", | and ", text)


def includes(words: str, day: date) -> bool:
    """Read the sentence as a visitor does: does the newsletter come on this day?"""
    days, _, months = words.replace(" at 07:00", "").partition(", only in ")
    if months and MONTH_NAMES[day.month - 1] not in items(months):
        return False
    if days in ("Every day", "Monday to Friday"):
        return days == "Every day" or day.weekday() < 5
    if certain := re.fullmatch(r"On certain days of the month \((.+)\)", days):
        either, _, only = certain[1].partition(", but only on these: ")
        both = [either, only] if only else [either]
        return all(any(is_among(item, day) for item in items(part)) for part in both)
    if dates := re.fullmatch(r"On days? ([\d, and]+) of the month", days):
        return str(day.day) in items(dates[1])
    if names := re.fullmatch(r"Every (?:week on )?(.+)", days):
        return DAY_NAMES[day.weekday()] in items(names[1])
    phrase = days.removeprefix("On ").removesuffix(" of the month")
    return is_among(phrase.replace("the first day", "day 1"), day)


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
    words = explain(f"0 7 {days}")
    assert {day for day in dates if includes(words, day)} == runs & set(dates)


@given(fields(0, 59), fields(0, 23))
def test_every_time_of_day_can_be_explained(minute, hour):
    assert explain(f"{minute} {hour} * * *")
