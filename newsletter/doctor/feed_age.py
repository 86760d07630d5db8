"""Measure since when the feed that waits longest has been due."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.content.feeds.feeds import ACTIVE, Feed


def oldest_due(session: Session, *, now: datetime) -> datetime | None:
    """Return when the feed that waits longest became due; None if none waits. It reads an index.

    Feeds that a worker has claimed do not wait; nor do paused and removed ones. Feeds that exceeded a limit wait for
    each other on purpose, so they are not counted.
    """
    waiting = select(func.min(Feed.next_try_at)).where(Feed.next_try_at <= now, ACTIVE, Feed.overruns == 0)
    return session.scalar(waiting)
