"""The beat: how often each room is rung even when nobody rings."""

from datetime import UTC, datetime
from typing import Any

from newsletter.broker import task_name
from newsletter.doorbell import Room

EVERY = {Room.URGENT: 2, Room.BULK: 2, Room.FEEDS: 60, Room.UPKEEP: 5}  # seconds
EXPIRES = 300  # what a worker missed during a pause is dropped; long, because the clocks of two machines are compared
NEVER = datetime.fromtimestamp(0, UTC)  # so that the beat rings everywhere as soon as it starts


def schedule() -> dict[str, dict[str, Any]]:
    """The table in Celery's words."""
    return {
        room.value: {
            "task": task_name(room),
            "schedule": seconds,
            "last_run_at": NEVER,
            "options": {"expires": EXPIRES},
        }
        for room, seconds in EVERY.items()
    }
