"""Times near now in words: today at 17:00, Friday 27 November at 07:00, in 9 h 57 min. English, as is the desk."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

NEAR_DAYS = {-1: "yesterday", 0: "today", 1: "tomorrow"}
NEAR = timedelta(hours=48)  # within which hours are told, and days beyond


def clock_time(moment: datetime, *, zone: str, now: datetime) -> str:
    """Return day and time of day in a zone; the year only if it is another one."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    near = NEAR_DAYS.get((local.date() - today.date()).days)
    year = "" if local.year == today.year else f" {local.year}"
    day = near or f"{local:%A} {local.day} {local:%B}{year}"
    return f"{day} at {local:%H:%M}"


def in_a_table(moment: datetime, *, zone: str, now: datetime) -> str:
    """Return the same as `clock_time` for a narrow column: Today 17:00, Fri 27 Nov 07:00."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    near = NEAR_DAYS.get((local.date() - today.date()).days)
    year = "" if local.year == today.year else f" {local.year}"
    day = near.capitalize() if near else f"{local:%a} {local.day} {local:%b}{year}"
    return f"{day} {local:%H:%M}"


def other_clock(moment: datetime, *, zone: str, own: str) -> str | None:
    """Return the time of day in `zone` where clocks show another time than in the operator's `own`; else None."""
    there, here = moment.astimezone(ZoneInfo(zone)), moment.astimezone(ZoneInfo(own))
    if there.utcoffset() == here.utcoffset():
        return None
    day = "" if there.date() == here.date() else f"{there:%A} "
    place = zone.rpartition("/")[2].replace("_", " ")
    return f"{day}{there:%H:%M} {'UTC' if zone == 'UTC' else f'in {place}'}"


def ahead(moment: datetime, *, now: datetime) -> str:
    """Return how far away a time is: in 9 h 57 min, in 3 days, now."""
    minutes = int((moment - now).total_seconds() // 60)
    if minutes < 1:
        return "now"
    if moment - now >= NEAR:
        return f"in {(moment - now).days} days"
    hours, rest = divmod(minutes, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (rest, "min")) if n]
    return f"in {' '.join(parts)}"
