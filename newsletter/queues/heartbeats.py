"""Ticks: the database shows when a worker last answered in a queue.

The schedule wakes the queue of upkeep every few seconds, and a worker that answers writes down when. So one row's age
says that beat, broker and a worker work together; no other process needs to be asked.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.queues.wakeups import Queue
from newsletter.store.database import Base, insert_once


class QueueHeartbeat(Base):
    """When a worker last answered in a queue."""

    __tablename__ = "ticks"

    room: Mapped[Queue] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def record(session: Session, queue: Queue, *, now: datetime) -> None:
    """Note that a worker has answered in this queue."""
    if (
        session.scalar(
            update(QueueHeartbeat).where(QueueHeartbeat.room == queue).values(at=now).returning(QueueHeartbeat.room)
        )
        is None
    ):
        insert_once(session, QueueHeartbeat, room=queue, at=now)


def last(session: Session, queue: Queue) -> datetime | None:
    """When a worker last answered in this queue; None before the first time."""
    return session.scalar(select(QueueHeartbeat.at).where(QueueHeartbeat.room == queue))
