"""Recurrence: runs of a cron expression in local time, across clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter.content.digests.recurrence import check, latest_run, next_runs
from newsletter.errors import Malformed

ZONES = [
    *["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"],
    *["Africa/Casablanca", "America/St_Johns", "Pacific/Chatham", "Europe/Dublin", "Asia/Tehran"],
]
CRONS = [
    "0 7 * * *",
    "30 2 * * *",
    "15 2 * * *",
    "0 2,3 * * *",
    "*/20 1-3 * * *",
    "0 9 * * 1-5",
    "5 0 1 * *",
    "0 0 * * 0#1",
]

instants = st.datetimes(datetime(2008, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
schedules = st.tuples(st.sampled_from(CRONS), st.sampled_from(ZONES))


def local(cron: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next runs in the zone's local time, with the offset from UTC."""
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return [
        f"{run.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for run in next_runs(cron, zone, after=start, count=count)
    ]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # 07:00 stays 07:00 when the clocks change
        ("0 7 * * *", "Europe/Berlin", "2026-10-24", ["10-24 07:00 +0200", "10-25 07:00 +0100"]),
        ("0 7 * * 1-5", "America/New_York", "2026-10-30", ["10-30 07:00 -0400", "11-02 07:00 -0500"]),
        # a skipped local time: the first instant after the gap
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", ["03-08 03:00 -0400", "03-09 02:30 -0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        # two times in one gap, or one in it and one at its end, are one run
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-29", ["03-29 03:00 +0200", "03-30 02:00 +0200"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-29", ["03-29 03:00 +0200", "03-30 02:00 +0200"]),
        # a local time that occurs twice: the first time
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["04-05 01:45 +1100", "04-06 01:45 +1030"]),
        # a skipped day: Samoa went from 29 to 31 December 2011
        ("0 9 * * *", "Pacific/Apia", "2011-12-29", ["12-29 09:00 -1000", "12-31 00:00 +1400", "12-31 09:00 +1400"]),
    ],
)
def test_runs_follow_the_local_time_of_the_zone(cron, zone, after, expected):
    assert local(cron, zone, after, len(expected)) == expected


def test_a_local_time_that_occurs_twice_runs_the_first_time_only():
    between = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)  # 02:40 summer time; 02:45 is yet to come twice
    assert next_runs("45 2 * * *", "Europe/Berlin", after=between, count=1) == [
        datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    ]
    second = datetime(2026, 10, 25, 1, 40, tzinfo=UTC)  # 02:40 standard time
    assert next_runs("45 2 * * *", "Europe/Berlin", after=second, count=1) == [
        datetime(2026, 10, 26, 1, 45, tzinfo=UTC)
    ]


@given(schedules, instants)
def test_runs_are_in_order(schedule, after):
    times = [after, *next_runs(*schedule, after=after, count=12)]
    assert all(earlier < later for earlier, later in pairwise(times))


@given(schedules, instants, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_starting_later_leaves_out_only_earlier_runs(schedule, after, delay):
    runs = next_runs(*schedule, after=after, count=12)
    later = after + delay
    expected = [run for run in runs if run > later]
    assume(expected)
    assert next_runs(*schedule, after=later, count=len(expected)) == expected


@given(schedules, instants, st.timedeltas(timedelta(0), timedelta(days=5)))
def test_the_latest_run_is_the_last_missed_run(schedule, after, downtime):
    until = after + downtime
    missed = [run for run in next_runs(*schedule, after=after, count=60) if run <= until]
    assert latest_run(*schedule, after=after, until=until) == (missed[-1] if missed else None)


@pytest.mark.parametrize("cron", ["0 7 * * *", "*/5 * * * *", "0 7 * * MON-FRI", "0 9 L * *", "0 9 29 2 *"])
def test_a_valid_schedule_is_accepted(cron):
    check(cron, "Europe/Berlin")


@pytest.mark.parametrize("cron", ["", "7", "0 7 * *", "0 0 7 * * *", "60 7 * * *", "0 7 30 2 *", "@daily", "a b c d e"])
def test_an_invalid_schedule_is_refused(cron):
    with pytest.raises(Malformed) as caught:
        check(cron, "Europe/Berlin")
    assert caught.value.field == "cron"


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe/berlin", "../etc/passwd", "America", "CEST"])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(Malformed) as caught:
        check("0 7 * * *", zone)
    assert caught.value.field == "zone"
