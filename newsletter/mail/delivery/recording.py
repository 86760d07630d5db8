"""Continuous group commit of results: what arrives while one group is being committed is written with the next."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from newsletter.mail.delivery import results
from newsletter.mail.delivery.issue_pauses import RefusalMonitor, is_refusal
from newsletter.mail.pace import throttle
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.redaction import log_failure
from newsletter.store.database import Autocommit, Begin, is_on_sqlite
from newsletter.store.database_errors import is_bad_data

GROUP_SIZE = 64  # results in a commit; it bounds how many letters a crash can make arrive twice
MAX_UNWRITTEN = 2 * GROUP_SIZE  # results, one group being committed and one gathered, before sending waits
GATHER_SECONDS = 0.03  # for which a group waits to be full: a commit costs as much as twenty letters
SQLITE_SPACING = 0.005  # seconds between two commits of SQLite, so that its other writers get their turn
RETRY_SECONDS = 1.0  # between two attempts to write while the database is away
CHECK_INTERVAL = 0.1  # seconds after which a waiting thread checks again whether the run is over

log = logging.getLogger(__name__)


class GroupCommit:
    """Writes results from a thread of its own, so that sending seldom waits for a commit.

    Leaving the context waits until everything is written. While the database is away or read-only, results are kept
    and tried again, because a lost result is a letter that arrives twice.
    """

    def __init__(
        self,
        begin: Begin,
        worker: int,
        *,
        clock: Callable[[], datetime],
        wait: Callable[[float], None] = time.sleep,
        autocommit: Autocommit | None = None,
        monitor: RefusalMonitor | None = None,
    ) -> None:
        """With `autocommit`, a group of letters that were all taken is written by one autocommitted statement."""
        self._begin = begin
        self._autocommit_connection = autocommit
        self._connection_stack = ExitStack()  # closes `_connection`
        self._connection: Connection | None = None
        self._worker = worker
        self._clock = clock
        self._wait = wait
        self._queue: deque[Result] = deque()
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._has_results = threading.Event()
        self._write_now = threading.Event()  # do not wait for more results
        self._progress = threading.Condition()
        self._added = self._written = 0  # results
        self._monitor = monitor
        self._refusals_added = self._refusals_counted = 0  # results that the monitor counts, and has counted
        self._spacing = 0.0
        self._is_ending = False
        self._has_waiter = False  # a thread waits for results to be written, so none waits for more results
        self.recorded = 0
        self.outcomes: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._is_ending = True
        self._has_results.set()
        self._write_now.set()
        self._thread.join()

    def add(self, result: Result) -> None:
        """Queue a result; never blocks. All calls must come from the same thread."""
        self._added += 1
        if result.outcome is not Outcome.TAKEN and self._monitor and is_refusal(result):
            self._refusals_added += 1
        self._queue.append(result)
        if not self._has_results.is_set():
            self._has_results.set()
        if len(self._queue) >= GROUP_SIZE and not self._write_now.is_set():
            self._write_now.set()

    def wait_for_capacity(self, is_over: Callable[[], bool]) -> bool:
        """Wait until fewer than two groups and fewer than ten refusals are unwritten; return False once `is_over()`.

        So at most the letters under way and two groups can arrive twice after a crash, and no letter begins while the
        database is away or while refusals that may pause its issue are not counted.
        """
        return self._has_capacity() or self._wait_until(self._has_capacity, is_over)

    def flush(self, is_over: Callable[[], bool]) -> bool:
        """Wait until every result is written; return False once `is_over()`."""
        return self._wait_until(lambda: self._added == self._written, is_over)

    def _has_capacity(self) -> bool:
        unwritten, uncounted = self._added - self._written, self._refusals_added - self._refusals_counted
        return unwritten < MAX_UNWRITTEN and uncounted < throttle.MIN_ALL_REFUSED

    def _wait_until(self, is_done: Callable[[], bool], is_over: Callable[[], bool]) -> bool:
        self._has_waiter = True
        self._write_now.set()
        with self._progress:
            while not (is_done() or is_over()):
                self._progress.wait(CHECK_INTERVAL)
        self._has_waiter = False
        return is_done()

    def _write(self) -> None:
        with self._connection_stack:
            while group := self._next_group():
                self._record(group)
                refusals = self._count_refusals(group)
                with self._progress:
                    self._written += len(group)
                    self._refusals_counted += refusals
                    self._progress.notify_all()
                if self._spacing:
                    self._wait(self._spacing)
        if self._monitor:
            self._monitor.count()

    def _count_refusals(self, group: Sequence[Result]) -> int:
        """Give the refusals of a written group to the monitor; return how many they are."""
        if self._monitor is None or self._refusals_added == self._refusals_counted:
            return 0
        refused = [result.delivery for result in group if result.outcome is not Outcome.TAKEN and is_refusal(result)]
        if refused:
            self._monitor.add(refused)
        return len(refused)

    def _next_group(self) -> list[Result]:
        """Wait for results and return those that arrived; an empty list at the end."""
        while not self._queue:
            if self._is_ending:
                return []
            self._has_results.wait()
            self._has_results.clear()
        self._write_now.clear()
        if len(self._queue) < GROUP_SIZE and not self._is_ending and not self._has_waiter:
            self._write_now.wait(GATHER_SECONDS)
        return [self._queue.popleft() for _ in range(min(GROUP_SIZE, len(self._queue)))]

    def _record(self, group: Sequence[Result]) -> None:
        """Write a group. If one result can never be written, write each alone, and that one without its reply."""
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one result, the others are written
            if len(group) > 1:
                for result in group:
                    self._record([result])
                return
            facts = {"delivery": group[0].delivery, "error": type(error).__name__}
            log.warning("a reply cannot be stored", extra=facts)
            self._record_without_reply(group[0])

    def _record_without_reply(self, result: Result) -> None:
        try:
            self._commit([result._replace(reply=None)])
        except Exception as error:  # noqa: BLE001 - nothing is left to omit
            log_failure(log, "a delivery cannot be recorded", error, delivery=result.delivery)

    def _commit(self, group: Sequence[Result]) -> None:
        """Try until the group is written. Raises only if the data of a result can never be written.

        A database may also answer and refuse writes: a standby that has just taken over is read-only for a while.
        """
        while True:
            try:
                counted = self._try_once(group)
            except Exception as error:
                if is_bad_data(error):
                    raise
                log_failure(log, "results are kept", error, count=len(group))
                self._wait(RETRY_SECONDS)
            else:
                self.recorded += counted
                self.outcomes.update(result.outcome.value for result in group)
                return

    def _try_once(self, group: Sequence[Result]) -> int:
        if self._autocommit_connection and all(result.outcome is Outcome.TAKEN for result in group):
            return self._autocommit(self._autocommit_connection, group)
        with self._begin() as session:
            self._spacing = SQLITE_SPACING if is_on_sqlite(session) else 0.0
            return results.record(session, self._worker, group, now=self._clock())

    def _autocommit(self, autocommit: Autocommit, group: Sequence[Result]) -> int:
        """Write letters that were taken, in a statement that is its own transaction; reconnect after a failure."""
        try:
            connection = self._connection or self._connection_stack.enter_context(autocommit())
            self._connection = connection
            return results.record_taken(connection, self._worker, results.first_results(group))
        except Exception:
            self._connection = None
            self._connection_stack.close()
            raise
