"""Decide which run of a schedule is due: on time, or late and at an hour at which readers expect it. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from newsletter.content.digests import recurrence

GRACE = timedelta(hours=1)  # a run may begin so much later than scheduled and still counts as punctual


class UpcomingRun(NamedTuple):
    """When an issue is drafted next, in UTC, and the missed run that it makes up for, if any."""

    at: datetime
    missed: datetime | None = None


def due(cron: str, zone: str, *, after: datetime, now: datetime, waits: bool) -> datetime | None:
    """Return the scheduled time of the newest run missed since `after` that is made up for now; None if none is.

    With `waits`, a run that is more than an hour late waits until it is again one of the schedule's times of day,
    on whatever day: Monday's run at 07:00, missed until Tuesday at 02:00, is due on Tuesday at 07:00.
    """
    missed = recurrence.latest_run(cron, zone, after=after, until=now)
    if missed is None or not waits or now - missed <= GRACE:
        return missed
    expected = recurrence.latest_run(recurrence.every_day(cron), zone, after=missed, until=now)
    return missed if expected and now - expected <= GRACE else None


def upcoming(cron: str, zone: str, *, after: datetime, now: datetime, waits: bool, count: int) -> list[UpcomingRun]:
    """Return the next `count` runs after `now`, the first of them perhaps one that waits."""
    runs = [UpcomingRun(run) for run in recurrence.next_runs(cron, zone, after=max(now, after), count=count)]
    missed = recurrence.latest_run(cron, zone, after=after, until=now)
    if missed and due(cron, zone, after=after, now=now, waits=waits) is None:
        (at,) = recurrence.next_runs(recurrence.every_day(cron), zone, after=now, count=1)
        if not runs or at < runs[0].at:  # a regular run at that time comes in place of the missed one
            runs = [UpcomingRun(at, missed), *runs][:count]
    return runs
