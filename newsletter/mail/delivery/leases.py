"""Leases: a worker holds its claims as long as its heartbeat count rises; other workers notice when it stops."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.redaction import log_failure
from newsletter.store.database import Base, Begin
from newsletter.store.database_errors import is_unavailable

HEARTBEAT_INTERVAL = 5.0  # seconds between two heartbeats
LEASE_DURATION = 30.0  # seconds without a heartbeat, by the monitor's own monotonic clock, after which a lease expires

log = logging.getLogger(__name__)


class Worker(Base):
    """A process that sends letters. It lives as long as its heartbeat count rises."""

    __tablename__ = "carriers"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    host: Mapped[str]
    pid: Mapped[int]
    beats: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)  # when its lease ended; a heartbeat clears it


class Heartbeat:
    """This process's row and heartbeat.

    The first call of `worker` registers the process and starts the heartbeat thread, which runs until `close`.
    """

    def __init__(self, begin: Begin, *, every: float = HEARTBEAT_INTERVAL) -> None:
        self._begin = begin
        self._every = every
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._worker: int | None = None
        self._host, self._pid = socket.gethostname(), os.getpid()

    def worker(self, *, now: datetime) -> int:
        """Return the worker id under which this process claims letters."""
        with self._lock:
            if self._worker is None:
                self._worker = self._register(now)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()
            return self._worker

    def close(self) -> None:
        """Stop the heartbeat."""
        self._stopped.set()
        if self._thread:
            self._thread.join(HEARTBEAT_INTERVAL)

    def _register(self, now: datetime) -> int:
        with self._begin() as session:
            row = Worker(host=self._host, pid=self._pid, since=now)
            session.add(row)
            session.flush()
            return row.id

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - the thread must live: the next heartbeat may succeed
                if not is_unavailable(error):
                    log_failure(log, "a heartbeat could not be written", error)

    def _beat(self) -> None:
        """Write one heartbeat. If a restored database has lost this worker's row, the next claim registers it anew."""
        if (worker := self._worker) is None:
            return  # the next claim registers it
        with self._begin() as session:
            mine = Worker.id == worker, Worker.host == self._host, Worker.pid == self._pid
            beat = update(Worker).where(*mine).values(beats=Worker.beats + 1, ended_at=None).returning(Worker.id)
            is_registered = session.scalar(beat) is not None
        if not is_registered:
            with self._lock:
                if self._worker == worker:  # a claim may have registered it anew meanwhile
                    self._worker = None


class LeaseMonitor:
    """Watches the heartbeats of all workers by its own monotonic clock; it never compares two machines' clocks."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        heartbeat: float = HEARTBEAT_INTERVAL,
        lease: float = LEASE_DURATION,
    ) -> None:
        """`heartbeat` is the time between two heartbeats, `lease` the time without one until a lease expires (s)."""
        self._clock = clock
        self._heartbeat, self._lease = heartbeat, lease
        self._lock = threading.Lock()
        self._checked_at = clock()
        self._unchanged: dict[tuple[int, int], float] = {}  # by worker and heartbeat count: seconds without a change

    def expired(self, session: Session) -> list[int]:
        """Return the workers whose heartbeat has not changed for a lease and whose claims are not yet reclaimed.

        Whether they hold claims is only checked when those are reclaimed, because that reads all open deliveries.
        Between two checks at most two heartbeat intervals count: while this monitor or the database was away, no
        heartbeat could be seen.
        """
        with self._lock:
            now = self._clock()
            passed, self._checked_at = min(now - self._checked_at, 2 * self._heartbeat), now
            rows = session.execute(select(Worker.id, Worker.beats).where(Worker.ended_at.is_(None)))
            counts = [(worker, count) for worker, count in rows]
            before = self._unchanged
            self._unchanged = {seen: before[seen] + passed if seen in before else 0.0 for seen in counts}
            return [worker for (worker, _), seconds in self._unchanged.items() if seconds >= self._lease]


def lock_expired(session: Session, workers: Sequence[int]) -> list[int]:
    """Lock and return those workers whose lease no other monitor has ended meanwhile.

    All monitors find a lease expired at about the same time; one of them reads through the claims.
    """
    mine = select(Worker.id).where(Worker.id.in_(workers), Worker.ended_at.is_(None))
    return list(session.scalars(mine.order_by(Worker.id).with_for_update()))


def lease(worker: int) -> Select[int]:
    """Return the statement that finds a worker's lease unless it has ended.

    No other transaction can end it before the one that executes the statement does.
    """
    held = select(Worker.id).where(Worker.id == worker, Worker.ended_at.is_(None))
    return held.with_for_update(read=True, of=Worker)


def end_leases(session: Session, workers: Sequence[int], *, now: datetime) -> None:
    """End leases until the next heartbeat: these workers claim nothing, and no monitor watches them any more."""
    session.execute(update(Worker).where(Worker.id.in_(workers)).values(ended_at=now))
