"""The beat: how often each room is rung even when nobody rings."""

from datetime import UTC, datetime
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from newsletter import broker
from newsletter.broker import task_name
from newsletter.doorbell import Room

EVERY = {Room.URGENT: 2, Room.BULK: 2, Room.FEEDS: 60, Room.UPKEEP: 5}  # seconds
NEVER = datetime.fromtimestamp(0, UTC)  # so that the beat rings everywhere as soon as it starts


def schedule() -> dict[str, dict[str, Any]]:
    """The table in Celery's words."""
    return {
        room.value: {
            "task": task_name(room),
            "schedule": seconds,
            "last_run_at": NEVER,
        }
        for room, seconds in EVERY.items()
    }


class Beat(Scheduler):
    """Rings through a doorbell of its own.

    So a Redis that is away neither stops the clock nor fills the log, and rings that nobody answers do not pile up.
    None expires: a worker whose clock is ahead of ours would answer none. It keeps no file: a start rings everywhere.
    """

    producer: Any = None  # or Celery's loop would wait for a connection before it sends anything

    def __init__(self, app: Any, **given: Any) -> None:
        super().__init__(app, **given)
        self._doorbell = broker.doorbell(app)

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:
        """Ring in the entry's room."""
        self._doorbell.ring(Room(str(entry.name)))

    def close(self) -> None:
        """Ring no more."""
        self._doorbell.close()
        super().close()
