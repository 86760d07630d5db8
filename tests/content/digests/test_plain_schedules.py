"""Schedules in plain words, and the cron expressions that they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.digests import plain_schedules, recurrence
from newsletter.content.digests.plain_schedules import MONTH_DAYS, WEEKDAYS, Pattern, PlainSchedule
from newsletter.errors import Malformed

times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
plain = st.one_of(
    st.builds(PlainSchedule, pattern=st.sampled_from([Pattern.DAILY, Pattern.WEEKDAYS]), time=times),
    st.builds(
        PlainSchedule,
        pattern=st.just(Pattern.WEEKLY),
        days=st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda days: tuple(sorted(days))),
        time=times,
    ),
    st.builds(PlainSchedule, pattern=st.just(Pattern.MONTHLY), day=st.sampled_from(MONTH_DAYS), time=times),
)


@given(plain)
def test_every_plain_schedule_means_an_expression_that_reads_back_to_it(schedule):
    cron = schedule.as_cron()
    recurrence.check(cron, "Europe/Berlin")
    assert plain_schedules.read(cron) == schedule


@given(st.text(alphabet="0123456789*,-/L#MONFRI ", max_size=20))
def test_whatever_is_written_reads_as_a_schedule_that_means_the_same(cron):
    schedule = plain_schedules.read(cron)
    if schedule.pattern is Pattern.CRON:
        assert schedule.as_cron() == " ".join(cron.split())
    else:
        assert plain_schedules.read(schedule.as_cron()) == schedule
        recurrence.check(schedule.as_cron(), "UTC")


@pytest.mark.parametrize(
    ("cron", "pattern"),
    [
        ("0 7 * * 0", Pattern.WEEKLY),
        ("0 7 * * 1-4", Pattern.CRON),
        ("0 7 13 * 5", Pattern.CRON),
        ("0 7,18 * * *", Pattern.CRON),
        ("0 7 L * *", Pattern.MONTHLY),
        ("0 7 30 2 *", Pattern.CRON),
    ],
)
def test_only_what_the_form_can_say_is_read_as_plain(cron, pattern):
    assert plain_schedules.read(cron).pattern is pattern


@pytest.mark.parametrize(("written", "meant"), [("7", "0 7"), ("7:05", "5 7"), ("18.30", "30 18"), (" 07:00 ", "0 7")])
def test_times_are_read_as_people_write_them(written, meant):
    assert PlainSchedule(pattern=Pattern.DAILY, time=written).as_cron() == f"{meant} * * *"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("time", {"pattern": Pattern.DAILY, "time": "25:00"}),
        ("time", {"pattern": Pattern.DAILY, "time": "\N{ARABIC-INDIC DIGIT SEVEN}"}),
        ("time", {"pattern": Pattern.DAILY, "time": ""}),
        ("days", {"pattern": Pattern.WEEKLY}),
        ("days", {"pattern": Pattern.WEEKLY, "days": (8,)}),
        ("day", {"pattern": Pattern.MONTHLY, "day": "32"}),
    ],
)
def test_a_value_that_is_missing_or_bad_is_named(field, values):
    with pytest.raises(Malformed) as refused:
        PlainSchedule(**values).as_cron()
    assert refused.value.field == field
