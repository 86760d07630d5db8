"""A fair lock for SQLite's writers, of which only one can write at a time.

SQLite's own waiting has no order, so a writer can starve.
"""

import os
import threading
from collections import deque
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry


class WriteLock:
    """A first-come, first-served lock. Any thread may release it, not only the one that acquired it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Event] = deque()  # the first one holds the lock

    def acquire(self) -> None:
        """Wait until this caller holds the lock."""
        ticket = threading.Event()
        with self._guard:
            self._queue.append(ticket)
            self._queue[0].set()
        try:
            ticket.wait()
        except BaseException:  # Ctrl-C: the callers behind must not wait for this one
            self._remove(ticket)
            raise

    def release(self) -> None:
        """Pass the lock to the next caller in the queue."""
        self._remove(self._queue[0])

    def _remove(self, ticket: threading.Event) -> None:
        with self._guard:
            self._queue.remove(ticket)
            if self._queue:
                self._queue[0].set()


_write_locks: dict[str, WriteLock] = {}  # by file, shared by all engines of this process


def serialize_writers(engine: Engine) -> None:
    """Make this process's writers to one file begin their transactions in order, whichever engine they use.

    The first statement acquires the lock, not the session: otherwise all threads of the site could wait for ever for
    one session that is open and idle.
    """
    write_lock = _write_locks.setdefault(os.path.realpath(engine.url.database or ""), WriteLock())

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        info = connection.connection.record_info
        assert info is not None
        if "has_write_lock" not in info:
            write_lock.acquire()
            info["has_write_lock"] = True
        # IMMEDIATE locks the file at once: of two transactions that read first and then write, one would always fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def _on_checkin(_: Any, record: ConnectionPoolEntry) -> None:
        if record.record_info and record.record_info.pop("has_write_lock", False):
            write_lock.release()
