"""Wake-ups: signal a worker that jobs are due, without waiting for it.

The database shows what is due, and the schedule wakes every queue every few seconds. So a wake-up may be lost, repeated
or late: it only saves the wait.
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

from newsletter.redaction import WARNING_INTERVAL

log = logging.getLogger(__name__)


class Queue(StrEnum):
    """A queue of the workers, with one task. The values name queues and tasks in Redis and rows of `ticks`."""

    URGENT = "urgent"  # sign-ups and confirmations: a person waits for them
    BULK = "bulk"  # the letters of issues
    FEEDS = "feeds"  # fetching feeds and pictures
    UPKEEP = "upkeep"  # digests that are due, expired leases, data to delete


class Wakeups(Protocol):
    """Wakes the workers of a queue."""

    def wake(self, queue: Queue) -> None:
        """Wake the workers of this queue. Never blocks, never raises; a lost wake-up is harmless."""


class BackgroundWakeups:
    """Sends wake-ups from a thread; all calls for a queue during one send become one more wake-up.

    With an `interval`, in seconds, the next send waits so long after the last one, and the calls meanwhile share it.
    `send` may block for minutes or raise without affecting the caller of `wake`. The first wake-up in a process starts
    the thread, so an instance survives a fork.
    """

    def __init__(
        self, send: Callable[[Queue], None], *, interval: float = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._interval = interval
        self._clock = clock
        self._sender: _Sender | None = None
        self._closed = False

    def wake(self, queue: Queue) -> None:
        """Wake the workers of this queue. Never blocks, never raises; a lost wake-up is harmless."""
        sender = self._sender
        if sender is None or sender.process != os.getpid():
            if self._closed:
                return
            # If two threads make the first call at once, both start a sender. Both send, and the second one is kept.
            sender = self._sender = _Sender(self._send, self._interval, self._clock)
            with suppress(RuntimeError):  # the process cannot start a thread, or is about to end
                sender.start()
        sender.wake(queue)

    def close(self, *, within: float = 1) -> None:
        """Wait at most `within` seconds until all waiting wake-ups are sent; then send nothing more."""
        self._closed = True
        sender, self._sender = self._sender, None
        if sender is not None and sender.process == os.getpid():
            sender.leave()
            if sender.is_alive():  # not yet alive if the signal to end came while it was starting
                sender.join(within)


class _Sender(threading.Thread):
    def __init__(self, send: Callable[[Queue], None], interval: float, clock: Callable[[], float]) -> None:
        super().__init__(name="wake-ups", daemon=True)
        self.process = os.getpid()
        self._send = send
        self._interval = interval
        self._clock = clock
        self._waiting: set[Queue] = set()
        self._queue: SimpleQueue[Queue | None] = SimpleQueue()  # its put() never waits for a lock
        self._leaving = threading.Event()
        self._sent_at = -float("inf")
        self._warned_at = -float("inf")

    def wake(self, queue: Queue) -> None:
        if queue not in self._waiting:
            self._waiting.add(queue)
            self._queue.put(queue)

    def leave(self) -> None:
        self._leaving.set()
        self._queue.put(None)

    def run(self) -> None:
        while (queue := self._queue.get()) is not None:
            if (remaining := self._sent_at + self._interval - self._clock()) > 0:
                self._leaving.wait(remaining)
            self._waiting.discard(queue)  # before sending: a wake-up from now on may be about something new
            try:
                self._send(queue)
            except Exception as error:  # noqa: BLE001 - whatever the broker's error is, the next wake-up may succeed
                self._warn(error)
            self._sent_at = self._clock()

    def _warn(self, error: Exception) -> None:
        # Only the kind: the message of a broker's error may contain its URL, and so its password.
        if self._clock() - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = self._clock()
            log.warning("A wake-up was lost (%s); the schedule will send another", type(error).__name__)
