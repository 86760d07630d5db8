"""The lookout: a look at the database that is answered in time, also when the database is not.

Who watches over a service asks it just when something is wrong. So a look has a connection and a thread of its own: it
waits neither for the pages' connections nor for a database that has stopped in the middle of a sentence.
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
    """Asks one question, once at a time: whoever asks meanwhile, or while the answer is fresh, is given the same.

    So nobody can load the database by asking, and one that hangs costs one thread.
    """

    def __init__(
        self,
        database: Database,
        question: Callable[[Session, datetime], T],
        *,
        patience: float,
        statement: float,
        fresh: float = 0.0,
    ) -> None:
        """Ask that database, which must not be the one that pages use.

        All in seconds: how long who asks will wait, how long one statement may take, how long an answer is kept.
        """
        self._database = database
        self._question = question
        self._patience = patience
        self._limit = "" if self._database.is_sqlite else f"SET LOCAL statement_timeout = {round(statement * 1000)}"
        self._fresh = fresh
        self._asked: Future[T | None] | None = None
        self._stale_at = 0.0

    async def ask(self, *, now: datetime) -> T | None:
        """The answer; None if the database gives none in time. What else is wrong with the question is raised."""
        asked = self._asked
        if asked is None or (asked.done() and time.monotonic() >= self._stale_at):
            asked = self._asked = Future()
            asked.set_running_or_notify_cancel()  # from now on, who stops waiting does not cancel it for the others
            try:
                threading.Thread(target=self._look, args=(asked, now), name="lookout", daemon=True).start()
            except RuntimeError:  # the machine has no room for a thread just now; who asks next tries again
                self._asked = None
                return None
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()

    def _look(self, asked: Future[T | None], now: datetime) -> None:
        try:
            answer: T | None = self._read(now)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the question was asked
            if not is_unavailable(error):
                asked.set_exception(error)
                return
            answer = None
        self._stale_at = time.monotonic() + self._fresh
        asked.set_result(answer)

    def _read(self, now: datetime) -> T:
        with self._database.reading() as session:
            if self._limit:
                session.execute(text(self._limit))
            return self._question(session, now)
