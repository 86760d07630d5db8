"""The tasks: one for each room, without arguments. A lost, late or repeated one is harmless."""

from collections.abc import Callable
from threading import Lock

from celery import Celery

from newsletter.doorbell import Doorbell, Room
from workers.app import answer
from workers.works import Works


def register(app: Celery, works: Callable[[], Works], doorbell: Callable[[], Doorbell]) -> None:
    """Make each room answer its bell."""
    for room in Room:
        answer(app, room, Shift(room, works, doorbell))


class Shift:
    """One worker in a room at a time: a room that is rung often must not fill every thread of the process.

    Whoever comes while somebody works there leaves at once; the one at work then rings again, as it does when more is
    due, so that no ring is long and none is lost.
    """

    def __init__(self, room: Room, works: Callable[[], Works], doorbell: Callable[[], Doorbell]) -> None:
        self._room = room
        self._works = works
        self._doorbell = doorbell
        self._busy = Lock()
        self._again = False

    def __call__(self) -> None:
        """Do what is due, unless somebody is at it."""
        self._again = True  # before looking: whoever is about to leave looks at it afterwards
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._again = False
            more = self._works().ring(self._room)
        finally:
            self._busy.release()
        if more or self._again:
            self._doorbell().ring(self._room)
