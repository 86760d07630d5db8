"""The next runs as people read them, with what the clocks do."""

from datetime import UTC, datetime

from newsletter.content.digests import planned_runs

MARCH = datetime(2026, 3, 27, 12, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 23, 12, tzinfo=UTC)


def shown(cron: str, after: datetime, zone: str = "Europe/Berlin", count: int = 3) -> list[tuple[str, str, str | None]]:
    runs = planned_runs.planned(cron, zone, after=after, count=count)
    return [(f"{run.at:%d %H:%M}", run.offset, run.remark) for run in runs]


def test_a_time_that_does_not_exist_is_told_with_the_time_of_the_run():
    assert shown("30 2 * * *", MARCH) == [
        ("28 02:30", "UTC+1", None),
        (
            "29 03:00",
            "UTC+2",
            "02:30 does not exist on Sunday 29 March 2026, because the clocks go forward: the run is at 03:00.",
        ),
        ("30 02:30", "UTC+2", None),
    ]


def test_other_clocks_are_told_only_where_they_show_another_time():
    runs = planned_runs.planned("0 7 * * *", "Europe/Berlin", after=OCTOBER)
    assert planned_runs.other_clocks(runs, ["UTC", "Europe/Paris"]) == ["UTC"]
    assert planned_runs.other_clocks(runs, ["UTC", "Europe/London"]) == ["UTC", "Europe/London"]
    winter = planned_runs.planned("0 7 * * *", "UTC", after=MARCH.replace(month=1))
    assert planned_runs.other_clocks(winter, ["UTC", "Europe/London"]) == []


def test_a_time_that_comes_twice_is_told():
    assert shown("30 2 * * *", OCTOBER) == [
        ("24 02:30", "UTC+2", None),
        (
            "25 02:30",
            "UTC+2",
            (
                "02:30 comes twice on Sunday 25 October 2026, because the clocks go back: "
                "the run is at the first, in UTC+2, not in UTC+1."
            ),
        ),
        ("26 02:30", "UTC+1", "Sunday 25 October 2026: the clocks go back, from UTC+2 to UTC+1."),
    ]


def test_a_change_between_two_runs_is_told_with_its_day():
    assert shown("0 7 * * 1-5", OCTOBER, count=2) == [
        ("26 07:00", "UTC+1", "Sunday 25 October 2026: the clocks go back, from UTC+2 to UTC+1."),
        ("27 07:00", "UTC+1", None),
    ]
    assert shown("0 7 * * *", OCTOBER, "UTC", 1) == [("24 07:00", "UTC", None)]
