"""The tasks: one for each room, without arguments. A lost, late or repeated one is harmless."""

import logging
from collections.abc import Callable
from threading import Lock

from celery import Celery

from newsletter.doorbell import Doorbell, Room
from newsletter.errors import Misconfigured
from newsletter.logs import log_failure
from newsletter.store.database_errors import UNAVAILABLE
from workers.app import answer
from workers.works import Works

log = logging.getLogger(__name__)


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
            works = self._open()
            more = works.ring(self._room) if works else False
        finally:
            self._busy.release()
        if more or self._again:
            self._doorbell().ring(self._room)

    def _open(self) -> Works | None:
        """The works; None, and a line that says why, where they cannot be built now. The next ring tries again."""
        try:
            return self._works()
        except UNAVAILABLE as error:
            log_failure(log, f"nothing can be done in the room {self._room}", error)
        except Misconfigured as error:
            log.error("nothing can be done in the room %s: %s", self._room, error)  # noqa: TRY400 - no way to it
        return None
