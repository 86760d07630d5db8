"""Recurrence: when a cron expression comes round by the wall clocks of a zone.

A wall-clock time that the clocks skip (summer time begins, a country crosses the date line) runs at the first instant
after the gap; one that they show twice runs the first time only. So each time of day that is written comes once a day.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from newsletter import zones
from newsletter.errors import Malformed

LONGEST_FOLD = timedelta(days=1)  # a country that moves across the date line may live one day twice


def check(cron: str, zone: str) -> None:
    """Raises Malformed, naming the field, unless this is a schedule that comes round."""
    zones.check(zone)
    if len(cron.split()) != 5:
        raise Malformed("cron", "A schedule has five parts: minute, hour, day, month and weekday, as in “0 7 * * 1-5”.")
    try:
        next(CronSim(cron, datetime(2000, 1, 1)))  # noqa: DTZ001 - wall-clock time has no zone
    except CronSimError as error:
        raise Malformed("cron", f"“{cron}” cannot be read as a schedule: {error}.") from error
    except StopIteration:
        raise Malformed("cron", f"“{cron}” is a day that never comes.") from None


def in_words(cron: str, zone: str) -> str:
    """A schedule as a sentence: "At 07:00 on Monday through Friday (Europe/Berlin)."."""
    return f"{CronSim(cron, datetime(2000, 1, 1)).explain()} ({zone})."  # noqa: DTZ001 - wall-clock time has no zone


def next_runs(cron: str, zone: str, *, after: datetime, count: int) -> list[datetime]:
    """The next runs later than `after`, in UTC, each later than the one before."""
    return list(islice(runs(cron, zone, after=after), count))


def runs(cron: str, zone: str, *, after: datetime) -> Iterator[datetime]:
    """Every run later than `after`, in UTC."""
    place = ZoneInfo(zone)
    last = after
    for wall in CronSim(cron, _wall(after, place)):
        run = _instant(wall, place)
        if run > last:  # two times within one gap are one run
            yield run
            last = run


def latest_run(cron: str, zone: str, *, after: datetime, until: datetime) -> datetime | None:
    """The newest run later than `after` and not later than `until`: the one to catch up with after a downtime."""
    place = ZoneInfo(zone)
    for wall in CronSim(cron, _wall(until, place) + LONGEST_FOLD, reverse=True):
        run = _instant(wall, place)
        if run <= until:
            return run if run > after else None
    return None


def _wall(instant: datetime, place: ZoneInfo) -> datetime:
    return instant.astimezone(place).replace(tzinfo=None)


def _instant(wall: datetime, place: ZoneInfo) -> datetime:
    """When the clocks show this time first, or the first instant after they have skipped it."""
    while not _exists(wall, place):
        wall += timedelta(minutes=1)
    return wall.replace(tzinfo=place, fold=0).astimezone(UTC)


def _exists(wall: datetime, place: ZoneInfo) -> bool:
    return _wall(wall.replace(tzinfo=place).astimezone(UTC), place) == wall
