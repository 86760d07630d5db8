"""Continuous group commit: as soon as one commit returns, what has arrived meanwhile is written with the next."""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from newsletter.database import Begin
from newsletter.post import records
from newsletter.post.faults import AWAY, tell
from newsletter.post.postman import Report

GROUP = 64  # reports to a commit: what a crash can make arrive twice is bounded by it
SPACING = 0.005  # seconds between two commits: SQLite's other writers get their turn
RETRY = 1.0  # seconds before an absent database is tried again

log = logging.getLogger(__name__)


class Recorder:
    """Writes reports from a thread of its own, so that carrying never waits for a commit.

    Leaving the context waits until everything is written; if the database is away it keeps what it knows and tries
    again, because a report that is lost is a letter that arrives twice.
    """

    def __init__(
        self, begin: Begin, carrier: int, *, clock: Callable[[], datetime], wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._begin = begin
        self._carrier = carrier
        self._clock = clock
        self._wait = wait
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._progress = threading.Condition()
        self._taken = self._settled = 0
        self.recorded = 0
        self.fates: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._reports.put(None)
        self._thread.join()

    def report(self, report: Report) -> None:
        """Take a report, always from the same thread; never blocks."""
        self._taken += 1
        self._reports.put(report)

    def flush(self) -> None:
        """Wait until everything that was reported is written."""
        with self._progress:
            self._progress.wait_for(lambda: self._settled == self._taken)

    def _write(self) -> None:
        while group := self._next_group():
            self._record(group)
            with self._progress:
                self._settled += len(group)
                self._progress.notify_all()
            self._wait(SPACING)

    def _next_group(self) -> list[Report]:
        """What has arrived, at least one; empty at the end."""
        group: list[Report] = []
        while len(group) < GROUP:
            try:
                report = self._reports.get(block=not group)
            except queue.Empty:
                break
            if report is None:
                self._reports.put(None)  # for the next round, after what is in this group
                break
            group.append(report)
        return group

    def _record(self, group: Sequence[Report]) -> None:
        """Write them together; if one of them cannot be written, each by itself, and that one without its reply."""
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

    def _record_bare(self, report: Report) -> None:
        try:
            self._commit([report._replace(reply=None)])
        except Exception as error:  # noqa: BLE001 - there is nothing left to leave out
            tell(log, "a delivery cannot be recorded", error, delivery=report.delivery)

    def _commit(self, group: Sequence[Report]) -> None:
        while True:
            try:
                with self._begin() as session:
                    counted = records.record(session, self._carrier, group, now=self._clock())
            except AWAY as error:
                tell(log, "results are kept", error, count=len(group))
                self._wait(RETRY)
            else:
                self.recorded += counted
                self.fates.update(report.fate.value for report in group)
                return
