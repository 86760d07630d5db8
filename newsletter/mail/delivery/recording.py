"""Continuous group commit: what arrives while one group is committed is written with the next."""

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
from newsletter.mail.delivery.issue_pauses import RefusalWatch, is_refusal
from newsletter.mail.pace import throttle
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.redaction import log_failure
from newsletter.store.database import Autocommit, Begin
from newsletter.store.database_errors import is_bad_data

GROUP = 64  # reports to a commit: what a crash can make arrive twice is bounded by it
AHEAD = 2 * GROUP  # reports that may be unwritten, one group in its commit and one gathered, before carrying waits
GATHERING = 0.03  # seconds that a group waits to be full: a commit costs as much as twenty letters
SPACING = 0.005  # seconds between two commits of SQLite: its other writers get their turn
RETRY = 1.0  # seconds before an absent database is tried again
NAP = 0.1  # seconds after which whoever waits asks again whether to go on

log = logging.getLogger(__name__)


class Recorder:
    """Writes reports from a thread of its own, so that carrying seldom waits for a commit.

    Leaving the context waits until everything is written; if the database is away or writes nothing it keeps what it
    knows and tries again, because a report that is lost is a letter that arrives twice.
    """

    def __init__(
        self,
        begin: Begin,
        carrier: int,
        *,
        clock: Callable[[], datetime],
        wait: Callable[[float], None] = time.sleep,
        stating: Autocommit | None = None,
        watch: RefusalWatch | None = None,
    ) -> None:
        self._begin = begin
        self._stating = stating
        self._kept = ExitStack()  # the connection that is kept for single statements
        self._connection: Connection | None = None
        self._carrier = carrier
        self._clock = clock
        self._wait = wait
        self._reports: deque[Result] = deque()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._some, self._full = threading.Event(), threading.Event()
        self._progress = threading.Condition()
        self._taken = self._settled = 0
        self._watch = watch
        self._refused = self._judged = 0  # of those: refusals that the watch counts, and those that it was told of
        self._spacing = 0.0
        self._is_ending = False
        self._hurries = False
        self.recorded = 0
        self.fates: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._is_ending = True
        self._some.set()
        self._full.set()
        self._thread.join()

    def report(self, report: Result) -> None:
        """Take a report, always from the same thread; never blocks."""
        self._taken += 1
        if report.outcome is not Outcome.TAKEN and self._watch and is_refusal(report):
            self._refused += 1
        self._reports.append(report)
        if not self._some.is_set():
            self._some.set()
        if len(self._reports) >= GROUP and not self._full.is_set():
            self._full.set()

    def has_room(self, is_over: Callable[[], bool]) -> bool:
        """Wait until less than two groups and less than ten refusals are unwritten; False as soon as it is over.

        So no more letters than those under way and two groups can arrive twice after a crash, and none is begun while
        the database is away, or while refusals that may pause its issue are not counted.
        """
        return self._is_nearly_done() or self._waited(self._is_nearly_done, is_over)

    def flush(self, is_over: Callable[[], bool]) -> bool:
        """Wait until everything that was reported is written; False as soon as it is over."""
        return self._waited(lambda: self._taken == self._settled, is_over)

    def _is_nearly_done(self) -> bool:
        return self._taken - self._settled < AHEAD and self._refused - self._judged < throttle.MIN_ALL_REFUSED

    def _waited(self, is_done: Callable[[], bool], is_over: Callable[[], bool]) -> bool:
        """Wait until it is done; no group waits to be full meanwhile."""
        self._hurries = True
        self._full.set()
        with self._progress:
            while not (is_done() or is_over()):
                self._progress.wait(NAP)
        self._hurries = False
        return is_done()

    def _write(self) -> None:
        with self._kept:
            while group := self._next_group():
                self._record(group)
                refused = self._tell_watch(group)
                with self._progress:
                    self._settled += len(group)
                    self._judged += refused
                    self._progress.notify_all()
                if self._spacing:
                    self._wait(self._spacing)
        if self._watch:
            self._watch.look()

    def _tell_watch(self, group: Sequence[Result]) -> int:
        """Tell of the refusals in a group that is written; returns how many they are."""
        if self._watch is None or self._refused == self._judged:
            return 0
        refused = [report.delivery for report in group if report.outcome is not Outcome.TAKEN and is_refusal(report)]
        if refused:
            self._watch.recorded(refused)
        return len(refused)

    def _next_group(self) -> list[Result]:
        """What has arrived, at least one; empty at the end."""
        while not self._reports:
            if self._is_ending:
                return []
            self._some.wait()
            self._some.clear()
        self._full.clear()
        if len(self._reports) < GROUP and not self._is_ending and not self._hurries:
            self._full.wait(GATHERING)
        return [self._reports.popleft() for _ in range(min(GROUP, len(self._reports)))]

    def _record(self, group: Sequence[Result]) -> None:
        """Write them together; if one of them can never be written, each by itself, and that one without its reply."""
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one report, the others are written
            if len(group) > 1:
                for report in group:
                    self._record([report])
                return
            facts = {"delivery": group[0].delivery, "error": type(error).__name__}
            log.warning("a reply cannot be stored", extra=facts)
            self._record_bare(group[0])

    def _record_bare(self, report: Result) -> None:
        try:
            self._commit([report._replace(reply=None)])
        except Exception as error:  # noqa: BLE001 - there is nothing left to leave out
            log_failure(log, "a delivery cannot be recorded", error, delivery=report.delivery)

    def _commit(self, group: Sequence[Result]) -> None:
        """Try until they are written. Raises only what is wrong with one of them for ever.

        A database may also answer and write nothing: the standby that took over is read-only for a while.
        """
        while True:
            try:
                counted = self._written(group)
            except Exception as error:
                if is_bad_data(error):
                    raise
                log_failure(log, "results are kept", error, count=len(group))
                self._wait(RETRY)
            else:
                self.recorded += counted
                self.fates.update(report.outcome.value for report in group)
                return

    def _written(self, group: Sequence[Result]) -> int:
        if self._stating and all(report.outcome is Outcome.TAKEN for report in group):
            return self._stated(self._stating, group)
        with self._begin() as session:
            self._spacing = SPACING if session.get_bind().dialect.name == "sqlite" else 0.0
            return results.record(session, self._carrier, group, now=self._clock())

    def _stated(self, stating: Autocommit, group: Sequence[Result]) -> int:
        """Write what was taken, in a statement that is a transaction; after a failure, over another connection."""
        try:
            connection = self._connection or self._kept.enter_context(stating())
            self._connection = connection
            return results.sent(connection, self._carrier, results.first_words(group))
        except Exception:
            self._connection = None
            self._kept.close()
            raise
