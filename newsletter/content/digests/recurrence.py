"""Compute the runs of a cron expression in the local time of a zone.

A local time that is skipped (summer time begins, a country crosses the date line) runs at the first instant after the
gap; a local time that occurs twice runs only the first time. So each time of day in the expression runs once a day.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from newsletter import zones
from newsletter.errors import Malformed

MAX_CRON = 255  # characters
LONGEST_FOLD = timedelta(days=1)  # a country that moves across the date line may repeat a whole day


def check(cron: str, zone: str) -> None:
    """Raise Malformed, naming the field, unless the zone is known and the schedule ever runs."""
    zones.check(zone)
    parts = cron.split()
    if len(parts) != 5:
        raise Malformed("cron", "A schedule has five parts: minute, hour, day, month and weekday, as in “0 7 * * 1-5”.")
    if len(cron) > MAX_CRON:
        raise Malformed("cron", f"A schedule has at most {MAX_CRON} characters.")
    try:
        next(_from_2000(parts))
    except CronSimError as error:
        if _is_valid([*parts[:3], "*", parts[4]]) and _is_valid([*parts[:2], "*", *parts[3:]]):
            raise _never_runs(cron) from None
        raise Malformed("cron", f"“{cron}” is not a valid schedule: {error}") from error
    except StopIteration:
        raise _never_runs(cron) from None


def _from_2000(parts: Sequence[str]) -> CronSim:
    return CronSim(" ".join(parts), datetime(2000, 1, 1))  # noqa: DTZ001 - wall-clock time has no zone


def _is_valid(parts: Sequence[str]) -> bool:
    try:
        _from_2000(parts)
    except CronSimError:
        return False
    return True


def _never_runs(cron: str) -> Malformed:
    return Malformed("cron", f"The schedule “{cron}” never runs: no month that it names has such a day.")


def every_day(cron: str) -> str:
    """Return a schedule of the same times of day on every day."""
    minute, hour, *_ = cron.split()
    return f"{minute} {hour} * * *"


def next_runs(cron: str, zone: str, *, after: datetime, count: int) -> list[datetime]:
    """Return the next `count` runs later than `after`, in UTC, in order."""
    return list(islice(runs(cron, zone, after=after), count))


def runs(cron: str, zone: str, *, after: datetime) -> Iterator[datetime]:
    """Yield every run later than `after`, in UTC, in order."""
    return (run for _, run in timed_runs(cron, zone, after=after))


def timed_runs(cron: str, zone: str, *, after: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the same with the local time that the expression says, without a zone, before each run."""
    tz = ZoneInfo(zone)
    last = after
    for local in CronSim(cron, _local(after, tz)):
        run = _instant(local, tz)
        if run > last:  # two times within one gap are one run
            yield local, run
            last = run


def latest_run(cron: str, zone: str, *, after: datetime, until: datetime) -> datetime | None:
    """Return the newest run later than `after` and not later than `until`, in UTC: the one to make up for."""
    tz = ZoneInfo(zone)
    for local in CronSim(cron, _local(until, tz) + LONGEST_FOLD, reverse=True):
        run = _instant(local, tz)
        if run <= until:
            return run if run > after else None
    return None


def _local(instant: datetime, tz: ZoneInfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None)


def _instant(local: datetime, tz: ZoneInfo) -> datetime:
    """Return the first instant with this local time, or the first instant after the gap that skips it."""
    while not _exists(local, tz):
        local += timedelta(minutes=1)
    return local.replace(tzinfo=tz, fold=0).astimezone(UTC)


def _exists(local: datetime, tz: ZoneInfo) -> bool:
    return _local(local.replace(tzinfo=tz).astimezone(UTC), tz) == local
