"""Heartbeats of queues: the database shows when a worker last ran a queue's jobs.

The schedule wakes the queue `upkeep` every few seconds, and the worker that runs its jobs records the time. So the
age of one row shows whether beat, broker and a worker work together, without asking another process.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.queues.wakeups import Queue
from newsletter.store.database import Base, insert_once


class QueueHeartbeat(Base):
    """The time at which a worker last ran a queue's jobs."""

    __tablename__ = "ticks"

    room: Mapped[Queue] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def record(session: Session, queue: Queue, *, now: datetime) -> None:
    """Record that a worker runs this queue's jobs."""
    updated = update(QueueHeartbeat).where(QueueHeartbeat.room == queue).values(at=now)
    if session.scalar(updated.returning(QueueHeartbeat.room)) is None:
        insert_once(session, QueueHeartbeat, room=queue, at=now)


def last(session: Session, queue: Queue) -> datetime | None:
    """Return when a worker last ran this queue's jobs; None before the first time."""
    return session.scalar(select(QueueHeartbeat.at).where(QueueHeartbeat.room == queue))
