"""The tasks: one for each room, without arguments. A lost, late or repeated one is harmless."""

from collections.abc import Callable

from celery import Celery

from newsletter.broker import task_name
from newsletter.doorbell import Doorbell, Room
from workers.works import Works


def register(app: Celery, works: Callable[[], Works], doorbell: Callable[[], Doorbell]) -> None:
    """Make each room answer its bell; while more is due it rings again, so that no ring is long."""
    for room in Room:
        app.task(name=task_name(room))(_answer(room, works, doorbell))


def _answer(room: Room, works: Callable[[], Works], doorbell: Callable[[], Doorbell]) -> Callable[[], None]:
    def answer() -> None:
        if works().ring(room):
            doorbell().ring(room)

    return answer
