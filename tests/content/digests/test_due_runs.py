"""Due runs: on time, or late and at an hour at which readers expect an issue."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter.content.digests import recurrence
from newsletter.content.digests.due_runs import GRACE, UpcomingRun, due, upcoming

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """Return the local time in Berlin, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def is_due(cron: str, *, after: str, now: str, waits: bool = True) -> datetime | None:
    return due(cron, "Europe/Berlin", after=at(after), now=at(now), waits=waits)


@pytest.mark.parametrize(
    ("cron", "missed", "too_early", "leaves"),
    [
        ("0 7 * * 1", "2026-03-09 07:00", ["2026-03-09 08:01", "2026-03-10 02:00"], "2026-03-10 07:00"),
        ("0 7 * * 1-5", "2026-03-13 07:00", ["2026-03-13 20:00", "2026-03-14 06:59"], "2026-03-14 07:00"),
        ("0 7,18 * * 1", "2026-03-09 18:00", ["2026-03-09 19:01", "2026-03-10 02:00"], "2026-03-10 07:00"),
        # through the hour that summer time skips: 02:30 runs at 03:00, and is waited for there
        ("30 2 * * 6", "2026-03-28 02:30", ["2026-03-28 03:31", "2026-03-29 01:59"], "2026-03-29 03:00"),
        # through the hour that occurs twice: the first time
        ("30 2 * * 6", "2026-10-24 02:30", ["2026-10-24 03:31", "2026-10-25 02:29"], "2026-10-25 02:30"),
        # 07:00 stays 07:00 on the day on which the clocks change
        ("0 7 * * 6", "2026-03-28 07:00", ["2026-03-28 08:01", "2026-03-29 06:59"], "2026-03-29 07:00"),
    ],
)
def test_a_late_run_leaves_at_the_schedule_s_next_time_of_day(cron, missed, too_early, leaves):
    after = (datetime.fromisoformat(missed) - timedelta(days=1)).isoformat()
    for now in too_early:
        assert is_due(cron, after=after, now=now) is None, now
        assert is_due(cron, after=after, now=now, waits=False) == at(missed), "unless it does not wait"
    assert is_due(cron, after=after, now=leaves) == at(missed)
    assert is_due(cron, after=missed, now=leaves) is None, "once"


def test_a_run_up_to_an_hour_late_is_punctual():
    assert is_due("0 7 * * 1", after="2026-03-08", now="2026-03-09 08:00") == at("2026-03-09 07:00")


def test_a_schedule_of_every_hour_is_never_late():
    assert is_due("0 * * * *", after="2026-03-01", now="2026-03-09 02:59") == at("2026-03-09 02:00")
    assert is_due("*/15 * * * *", after="2026-03-01", now="2026-03-09 02:59") == at("2026-03-09 02:45")


def test_a_daily_run_that_was_missed_gives_way_to_the_next():
    assert is_due("0 7 * * *", after="2026-03-01", now="2026-03-09 02:00") is None
    assert is_due("0 7 * * *", after="2026-03-01", now="2026-03-09 07:00") == at("2026-03-09 07:00")


def test_a_waiting_run_is_upcoming_at_the_time_at_which_it_leaves():
    facts = {"after": at("2026-03-08"), "now": at("2026-03-10 02:00"), "count": 2}
    weekly = [UpcomingRun(at("2026-03-16 07:00")), UpcomingRun(at("2026-03-23 07:00"))]
    waiting = UpcomingRun(at("2026-03-10 07:00"), missed=at("2026-03-09 07:00"))
    assert upcoming("0 7 * * 1", "Europe/Berlin", **facts, waits=True) == [waiting, weekly[0]]
    assert upcoming("0 7 * * 1", "Europe/Berlin", **facts, waits=False) == weekly
    daily = upcoming("0 7 * * *", "Europe/Berlin", **facts, waits=True)
    assert daily[0] == UpcomingRun(at("2026-03-10 07:00")), "a regular run makes up for nothing"


schedules = st.sampled_from(["0 7 * * 1", "0 7,18 * * 1-5", "30 2 * * 0", "*/20 9-10 1 * *", "5 0 13 * 5", "0 * * * *"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(schedules, zones, instants, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_waiting_run_is_due_when_upcoming_says_and_not_before(cron, zone, after, downtime):
    now = after + downtime
    assume(recurrence.latest_run(cron, zone, after=after, until=now))
    assume(due(cron, zone, after=after, now=now, waits=True) is None)
    first = upcoming(cron, zone, after=after, now=now, waits=True, count=1)[0]
    assert due(cron, zone, after=after, now=first.at, waits=True) == (first.missed or first.at)
    assert due(cron, zone, after=after, now=first.at - timedelta(seconds=1), waits=True) is None
    assert first.at - now <= timedelta(days=2)


@given(schedules, zones, instants, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_run_that_waits_is_due_within_an_hour_of_a_time_of_day_of_its_schedule(cron, zone, after, downtime):
    now = after + downtime
    run = due(cron, zone, after=after, now=now, waits=True)
    expected = recurrence.latest_run(recurrence.every_day(cron), zone, after=now - timedelta(days=2), until=now)
    assert run is None or now - expected <= GRACE
