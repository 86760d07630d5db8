"""Heartbeats of queues: the database shows when a worker last answered in a queue.

The schedule wakes the queue `upkeep` every few seconds, and the worker that answers records the time. So the age of one
row shows whether beat, broker and a worker work together, without asking another process.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.queues.wakeups import Queue
from newsletter.store.database import Base, insert_once


class QueueHeartbeat(Base):
    """The time at which a worker last answered in a queue."""

    __tablename__ = "ticks"

    room: Mapped[Queue] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def record(session: Session, queue: Queue, *, now: datetime) -> None:
    """Record that a worker has answered in this queue."""
    answered = update(QueueHeartbeat).where(QueueHeartbeat.room == queue).values(at=now)
    if session.scalar(answered.returning(QueueHeartbeat.room)) is None:
        insert_once(session, QueueHeartbeat, room=queue, at=now)


def last(session: Session, queue: Queue) -> datetime | None:
    """Return when a worker last answered in this queue; None before the first time."""
    return session.scalar(select(QueueHeartbeat.at).where(QueueHeartbeat.room == queue))
