"""Insert rows for many callers; those that come during a commit share the next one (group commit).

A commit waits for the disk, whether it stores one row or a hundred. So the busier the site, the more rows share one
transaction; a row that comes alone is inserted by a single statement.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import Any, Self

from sqlalchemy import Connection, Insert, insert

from newsletter.store.database import Base, Database
from newsletter.store.database_errors import is_unavailable

GROUP_LIMIT = 500  # rows of one transaction
KEEP_SECONDS = 1.0  # that a connection is kept for the next row; the pool tests it before it is used after that


class _Row:
    """A row that waits, and the future that tells its caller what became of it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.stored: Future[None] = Future()


class GroupCommit:
    """Inserts the rows of one table from a thread of its own, which the first row starts.

    So the rows of a process need one connection, and callers of any number wait without a thread of their own.
    """

    def __init__(self, database: Database, row: type[Base]) -> None:
        self._database = database
        self._statement = insert(row.metadata.tables[row.__tablename__])  # the table, because ORM rows cost more
        self._rows: SimpleQueue[_Row | None] = SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def insert(self, values: Mapping[str, Any]) -> "Future[None]":
        """Return a future that is done once the row is committed, or fails with the database's error.

        Cancelling it withdraws a row that is not being inserted yet.
        """
        row = _Row(values)
        self._rows.put(row)
        if self._thread is None:
            self._start_thread()
        return row.stored

    def close(self) -> None:
        """Insert the rows that wait, then end."""
        with self._start:
            if self._thread:
                self._rows.put(None)
                self._thread.join()
                self._thread = None

    def _start_thread(self) -> None:
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        is_open = True
        while is_open:
            with _Inserting(self._database, self._statement) as inserting:
                timeout: float | None = None  # for the first group, nothing is kept
                while is_open and (group := self._next(timeout)):
                    is_open = group[-1] is not None
                    inserting.insert([row for row in group if row and row.stored.set_running_or_notify_cancel()])
                    timeout = KEEP_SECONDS

    def _next(self, timeout: float | None) -> list[_Row | None]:
        """Return the rows that wait, the end as None; wait for the first of them. Empty after `timeout` seconds."""
        group: list[_Row | None] = []
        with suppress(Empty):
            group.append(self._rows.get(timeout=timeout))
            while group[-1] and len(group) < GROUP_LIMIT:
                group.append(self._rows.get_nowait())
        return group


class _Inserting:
    """Inserts groups, keeping a connection between those that follow each other closely."""

    def __init__(self, database: Database, statement: Insert) -> None:
        self._database = database
        self._statement = statement
        self._kept = ExitStack()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def insert(self, group: Sequence[_Row]) -> None:
        """Insert rows in one transaction, and tell their callers. A refused row refuses no other."""
        try:
            self._write([row.values for row in group])
        except Exception as error:  # noqa: BLE001 - the callers decide what it means
            self._drop()
            if len(group) > 1 and not is_unavailable(error):
                for row in group:
                    self.insert([row])
            else:
                for row in group:
                    row.stored.set_exception(error)
        else:
            for row in group:
                row.stored.set_result(None)

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if len(rows) == 1 and not self._database.is_sqlite:
            if self._connection is None:
                self._connection = self._kept.enter_context(self._database.autocommit())
            self._connection.execute(self._statement, rows[0])
        elif rows:
            with self._database.writing() as session:
                session.execute(self._statement, rows)

    def _drop(self) -> None:
        self._connection = None
        self._kept.close()
