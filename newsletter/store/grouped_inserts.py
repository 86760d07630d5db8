"""Insert rows for many callers; those that come during a commit share the next one (group commit).

A commit waits for the disk, whether it stores one row or a hundred. So the busier the process, the more rows share one
statement, and the less each of them costs.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection

from newsletter.store import bulk_rows
from newsletter.store.database import Base, Database
from newsletter.store.database_errors import is_unavailable

GROUP_LIMIT = 500  # rows of one statement
CLOSE_SECONDS = 5.0  # a database that hangs must not keep the process from ending
KEEP_SECONDS = 1.0  # that a connection is kept for the next row; after that the pool tests it before it is used


class _WaitingRow:
    """A row that waits, and the future that tells its caller what became of it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.stored: Future[None] = Future()


class GroupedInserts:
    """Inserts rows of one table, all with the same columns, from a thread of its own, which the first row starts.

    So a process needs one connection for them, and no thread for each caller that waits.
    """

    def __init__(self, database: Database, row: type[Base], columns: Sequence[str]) -> None:
        self._database = database
        table = row.metadata.tables[row.__tablename__]
        self._statement = bulk_rows.insert(table, *columns, on_sqlite=database.is_sqlite)
        self._rows: SimpleQueue[_WaitingRow | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._kept = ExitStack()
        self._connection: Connection | None = None

    def insert(self, values: Mapping[str, Any]) -> "Future[None]":
        """Return a future that is done once the row is committed, or fails with the database's error.

        Cancelling it withdraws a row that is not being inserted yet.
        """
        row = _WaitingRow(values)
        self._rows.put(row)
        if self._thread is None:
            self._start()
        return row.stored

    def close(self, *, within: float = CLOSE_SECONDS) -> None:
        """Insert the rows that wait, then end the thread; wait for it at most `within` seconds."""
        with self._starting:
            if self._thread:
                self._rows.put(None)
                self._thread.join(within)
                self._thread = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="grouped inserts", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        is_open = True
        while is_open:
            group = self._next()
            is_open = None not in group
            # A future that is running can no longer be cancelled.
            self._insert([row for row in group if row and row.stored.set_running_or_notify_cancel()])
        self._drop_connection()

    def _next(self) -> list[_WaitingRow | None]:
        """Wait for a row; return it with all others that wait, and None at the end."""
        try:
            group = [self._rows.get(timeout=KEEP_SECONDS if self._connection else None)]
        except Empty:
            self._drop_connection()
            group = [self._rows.get()]
        with suppress(Empty):
            while group[-1] and len(group) < GROUP_LIMIT:
                group.append(self._rows.get_nowait())
        return group

    def _insert(self, group: Sequence[_WaitingRow]) -> None:
        """Insert rows with one statement, and tell their callers. A refused row refuses no other."""
        try:
            if group:
                self._execute(bulk_rows.encode(row.values for row in group))
        except Exception as error:  # noqa: BLE001 - the callers decide what it means
            self._drop_connection()
            if len(group) > 1 and not is_unavailable(error):
                for row in group:
                    self._insert([row])
            else:
                for row in group:
                    row.stored.set_exception(error)
        else:
            for row in group:
                row.stored.set_result(None)

    def _execute(self, rows: str) -> None:
        if self._database.is_sqlite:
            with self._database.writing() as session:
                session.execute(self._statement, {bulk_rows.INSERTED: rows})
            return
        if self._connection is None:
            self._connection = self._kept.enter_context(self._database.autocommit())
        self._connection.execute(self._statement, {bulk_rows.INSERTED: rows})

    def _drop_connection(self) -> None:
        self._connection = None
        self._kept.close()
