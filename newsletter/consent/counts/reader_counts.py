"""How many people read a newsletter, as the box on the publisher's page tells it: a true number, rounded down."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.consent.counts.day_counts import DayCounts

MIN_SHOWN = 100  # fewer would not invite anybody
STEPS = (5, 2, 1)  # times a power of ten


def counted(session: Session, newsletter_ids: Collection[int], *, now: datetime) -> int:
    """Return the readers of one of these newsletters, the one that has most; 0 if nobody has counted since yesterday.

    Readers of several newsletters are not added up, for nobody is to be counted twice.
    """
    yesterday = (now - timedelta(days=1)).date()
    newest = select(func.max(DayCounts.day)).where(DayCounts.day.between(yesterday, now.date()))
    readers = select(func.max(DayCounts.readers)).where(
        DayCounts.day == newest.scalar_subquery(), DayCounts.newsletter_id.in_(newsletter_ids)
    )
    return session.scalar(readers) or 0


def rounded_down(readers: int) -> int | None:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above the number; None below MIN_SHOWN."""
    if readers < MIN_SHOWN:
        return None
    power: int = 10 ** (len(str(readers)) - 1)
    return next(step * power for step in STEPS if step * power <= readers)
