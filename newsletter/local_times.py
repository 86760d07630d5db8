"""Times as people write them, in the local time of a zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from newsletter.errors import Malformed

FORMAT = "%Y-%m-%d %H:%M"


def instant(written: str, zone: str, *, field: str) -> datetime:
    """Return the instant of a local time such as "2026-12-05 09:00", in UTC; of a time that comes twice, the first.

    Raises Malformed, naming the field, for what is no such time, and for one that the clocks skip.
    """
    try:
        local = datetime.strptime(written.strip().replace("T", " "), FORMAT)  # noqa: DTZ007 - the zone is added below
        found = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        back = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise Malformed(field, "Enter a date and a time, like 2026-12-05 09:00.") from error
    if back != local:
        raise Malformed(
            field,
            f"At {local:%H:%M} on that day there is no such time in {zone}: the clocks are set forward. "
            f"Enter {back:%H:%M}, or another time.",
        )
    return found


def comes_twice(moment: datetime, zone: str) -> bool:
    """Whether the local time of an instant comes twice on that day, because the clocks are set back."""
    local = moment.astimezone(ZoneInfo(zone))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
