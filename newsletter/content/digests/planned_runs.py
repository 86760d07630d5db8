"""Tell the next runs of a schedule as people read them: local time, offset, and what the clocks do. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from newsletter.content.digests import recurrence
from newsletter.languages.languages import ENGLISH


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run, and in words why it is not at the time that the schedule says, or what has changed since the last one."""

    at: datetime  # in the schedule's zone
    remark: str | None = None
    has_new_offset: bool = False  # another offset from UTC than the run before it

    @property
    def offset(self) -> str:
        """The offset from UTC: "UTC+2"."""
        return ENGLISH.offset(self.at)


def planned(cron: str, zone: str, *, after: datetime, count: int = 10) -> list[PlannedRun]:
    """Return the next `count` runs later than `after`."""
    return list(islice(_planned(cron, zone, after), count))


def other_clocks(runs: Iterable[PlannedRun], zones: Iterable[str]) -> list[str]:
    """Return those of the zones whose clocks differ at one of the runs from the schedule's and from each other."""
    instants = [run.at for run in runs]
    told = {tuple(at.utcoffset() for at in instants)}
    others = []
    for zone in zones:
        offsets = tuple(at.astimezone(ZoneInfo(zone)).utcoffset() for at in instants)
        if offsets not in told:
            told.add(offsets)
            others.append(zone)
    return others


def _planned(cron: str, zone: str, after: datetime) -> Iterator[PlannedRun]:
    tz, before = ZoneInfo(zone), after.astimezone(ZoneInfo(zone))
    for wall, instant in recurrence.timed_runs(cron, zone, after=after):
        at = instant.astimezone(tz)
        has_new_offset = at.utcoffset() != before.utcoffset()
        remark = _at_a_change(wall, at) or (_between(before, at) if has_new_offset else None)
        yield PlannedRun(at=at, remark=remark, has_new_offset=has_new_offset)
        before = at


def _at_a_change(wall: datetime, at: datetime) -> str | None:
    """Return why a run is not at the local time that the schedule says, or at the first of two such times."""
    if at.replace(tzinfo=None) != wall:
        return (
            f"{wall:%H:%M} does not exist on {ENGLISH.day(wall)}, because the clocks go forward: "
            f"the run is at {at:%H:%M}."
        )
    second = at.replace(fold=1)
    if second.utcoffset() != at.utcoffset():
        first_offset, second_offset = ENGLISH.offset(at), ENGLISH.offset(second)
        return (
            f"{wall:%H:%M} comes twice on {ENGLISH.day(wall)}, because the clocks go back: "
            f"the run is at the first, in {first_offset}, not in {second_offset}."
        )
    return None


def _between(before: datetime, at: datetime) -> str:
    """Return when the clocks change between two runs, and which way."""
    new, old = at.utcoffset() or timedelta(), before.utcoffset() or timedelta()
    way = "forward" if new > old else "back"
    day, offsets = ENGLISH.day(_change(before, at)), f"from {ENGLISH.offset(before)} to {ENGLISH.offset(at)}"
    return f"{day}: the clocks go {way}, {offsets}."


def _change(before: datetime, at: datetime) -> datetime:
    """Return the first minute with the new offset, in local time; of several changes between the two, one."""
    tz = at.tzinfo
    assert tz
    low, high = before.timestamp(), at.timestamp()
    while high - low > 60:
        middle = datetime.fromtimestamp((low + high) / 2, tz)
        if middle.utcoffset() == before.utcoffset():
            low = middle.timestamp()
        else:
            high = middle.timestamp()
    return datetime.fromtimestamp(high, tz)
