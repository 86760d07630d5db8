"""Ticks: that the workers are alive, as everybody sees it who reads the database.

The beat rings for upkeep every few seconds, and a worker who answers writes down when. So one row's age says that beat,
broker and a worker work together; no other process needs to be asked.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.doorbell import Room
from newsletter.store.database import Base, insert_once


class Tick(Base):
    """When a room was last answered."""

    __tablename__ = "ticks"

    room: Mapped[Room] = mapped_column(primary_key=True)
    at: Mapped[datetime]


def tick(session: Session, room: Room, *, now: datetime) -> None:
    """Note that a worker has answered in this room."""
    if session.scalar(update(Tick).where(Tick.room == room).values(at=now).returning(Tick.room)) is None:
        insert_once(session, Tick, room=room, at=now)


def last(session: Session, room: Room) -> datetime | None:
    """When a worker last answered in this room; None before the first time."""
    return session.scalar(select(Tick.at).where(Tick.room == room))
