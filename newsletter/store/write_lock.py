"""The turnstile: SQLite has one writer at a time, and here writers get their turn in the order in which they came.

SQLite's own waiting is a lottery that starves somebody.
"""

import os
import threading
from collections import deque
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry


class WriteLock:
    """A lock given first come, first served; another thread than the one that took it may give it back."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: deque[threading.Event] = deque()  # whoever stands first has the turn

    def enter(self) -> None:
        """Return when it is our turn."""
        turn = threading.Event()
        with self._guard:
            self._line.append(turn)
            self._line[0].set()
        try:
            turn.wait()
        except BaseException:  # Ctrl-C: those behind must not wait for somebody who is gone
            self._leave(turn)
            raise

    def leave(self) -> None:
        """Give the turn to the next in line."""
        self._leave(self._line[0])

    def _leave(self, turn: threading.Event) -> None:
        with self._guard:
            self._line.remove(turn)
            if self._line:
                self._line[0].set()


_turnstiles: dict[str, WriteLock] = {}  # one for each file that this process writes to, however often it is opened


def serialize_writers(engine: Engine) -> None:
    """Let this process's writers to one file begin their transactions one after the other, whichever engine they use.

    The turn is taken with the first statement, not with the session: were it the session, a site all of whose threads
    wait for one that is open and idle would stand still for ever.
    """
    turnstile = _turnstiles.setdefault(os.path.realpath(engine.url.database or ""), WriteLock())

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        lent = connection.connection.record_info
        assert lent is not None
        if "turn" not in lent:
            turnstile.enter()
            lent["turn"] = True
        # IMMEDIATE takes the write lock at once: of two reads that both turn into writes, one could only fail.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    def _on_checkin(_: Any, record: ConnectionPoolEntry) -> None:
        if record.record_info and record.record_info.pop("turn", False):
            turnstile.leave()
