"""Doorbells: telling a worker that there is something to do, without ever waiting for it.

What is to be done stands in the database, and the beat rings every few seconds anyway. So a ring may be lost, repeated
or late; it only saves the wait.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from queue import SimpleQueue
from typing import Protocol

log = logging.getLogger(__name__)

QUIET = 60  # seconds between two complaints about the same trouble


class Room(StrEnum):
    """Where there is work: each room has a queue and a task of its own."""

    URGENT = "urgent"  # sign-ups, confirmations: somebody is waiting in front of a screen
    BULK = "bulk"  # the letters of issues
    FEEDS = "feeds"  # fetching, and digests that are due
    UPKEEP = "upkeep"  # what has run out, been abandoned or can be thrown away


class Doorbell(Protocol):
    """Rings in a room."""

    def ring(self, room: Room) -> None:
        """Never blocks, never raises; losing a ring is harmless."""


class CoalescingDoorbell:
    """Rings from a thread of its own: a hundred rings while one is being sent become one more.

    `send` may block for minutes or raise; whoever rings does not notice. The thread is started by the first ring in a
    process, so a doorbell survives a fork.
    """

    def __init__(self, send: Callable[[Room], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._ringer: _Ringer | None = None
        self._closed = False

    def ring(self, room: Room) -> None:
        """Never blocks, never raises; losing a ring is harmless."""
        ringer = self._ringer
        if ringer is None or ringer.process != os.getpid():
            if self._closed:
                return
            # Two threads that ring first at the same moment start two ringers; both send, and the second one stays.
            ringer = self._ringer = _Ringer(self._send, self._clock)
            with suppress(RuntimeError):  # the process has no room for a thread, or is about to end
                ringer.start()
        ringer.ring(room)

    def close(self, *, within: float = 1) -> None:
        """Send what has been rung, if that takes no longer than `within` seconds, and ring no more."""
        self._closed = True
        ringer, self._ringer = self._ringer, None
        if ringer is not None and ringer.process == os.getpid():
            ringer.leave()
            if ringer.is_alive():  # not yet, if a signal that ends the process came while it was being started
                ringer.join(within)


class _Ringer(threading.Thread):
    def __init__(self, send: Callable[[Room], None], clock: Callable[[], float]) -> None:
        super().__init__(name="doorbell", daemon=True)
        self.process = os.getpid()
        self._send = send
        self._clock = clock
        self._rung: set[Room] = set()
        self._queue: SimpleQueue[Room | None] = SimpleQueue()  # its put() takes no lock that could be waited for
        self._complained_at = -float("inf")

    def ring(self, room: Room) -> None:
        if room not in self._rung:
            self._rung.add(room)
            self._queue.put(room)

    def leave(self) -> None:
        self._queue.put(None)

    def run(self) -> None:
        while (room := self._queue.get()) is not None:
            self._rung.discard(room)  # before sending: what is rung from now on may be news
            try:
                self._send(room)
            except Exception as error:  # noqa: BLE001 - whatever the broker's trouble is, the next ring may get through
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        # Only the kind: the message of a broker's error may contain its URL, and so its password.
        if self._clock() - self._complained_at >= QUIET:
            self._complained_at = self._clock()
            log.warning("A ring was lost (%s); the beat will ring again", type(error).__name__)
