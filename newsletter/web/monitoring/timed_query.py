"""Query the database with a time limit, so that monitoring is answered even when the database is not.

Monitoring asks most when something is wrong. So a timed query has its own connection and its own thread: it waits
neither for the pages' connections nor for a database that has stopped in the middle of an answer.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.store.database import Database
from newsletter.store.database_errors import is_unavailable

T = TypeVar("T")


class TimedQuery(Generic[T]):
    """Runs one query, one at a time. Callers share a running query, and its result while that is fresh.

    So requests cannot overload the database, and a query that hangs costs one thread.
    """

    def __init__(
        self,
        database: Database,
        query: Callable[[Session, datetime], T],
        *,
        timeout: float,
        statement_timeout: float,
        max_age: float = 0.0,
    ) -> None:
        """Query `database`, which must not be the one that pages use.

        All in seconds: how long a caller waits, how long one statement may take (PostgreSQL), how long a result is
        shared.
        """
        self._database = database
        self._query = query
        self._timeout = timeout
        milliseconds = round(statement_timeout * 1000)
        self._limit = "" if self._database.is_sqlite else f"SET LOCAL statement_timeout = {milliseconds}"
        self._max_age = max_age
        self._current: Future[T | None] | None = None
        self._stale_at = 0.0

    async def run(self, *, now: datetime) -> T | None:
        """Return the query's result; None if the database is unavailable or too slow. Raises any other error."""
        current = self._current
        if current is None or (current.done() and time.monotonic() >= self._stale_at):
            current = self._current = Future()
            current.set_running_or_notify_cancel()  # a caller that stops waiting does not cancel it for the others
            try:
                threading.Thread(target=self._execute, args=(current, now), name="timed query", daemon=True).start()
            except RuntimeError:  # the machine cannot start a thread just now; the next caller tries again
                self._current = None
                return None
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.wrap_future(current)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _execute(self, current: Future[T | None], now: datetime) -> None:
        try:
            result: T | None = self._read(now)
        except Exception as error:  # noqa: BLE001 - `run` raises it, whatever it is
            if not is_unavailable(error):
                current.set_exception(error)
                return
            result = None
        self._stale_at = time.monotonic() + self._max_age
        current.set_result(result)

    def _read(self, now: datetime) -> T:
        with self._database.reading() as session:
            if self._limit:
                session.execute(text(self._limit))
            return self._query(session, now)
