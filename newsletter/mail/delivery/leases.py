"""Carriers: the processes that carry letters, and how a dead one is noticed."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.redaction import log_failure
from newsletter.store.database import Base, Begin
from newsletter.store.database_errors import is_unavailable

HEARTBEAT_INTERVAL = 5.0  # seconds between two beats
LEASE_DURATION = 30.0  # seconds without one, by the watcher's own monotonic clock, after which claims are handed back

log = logging.getLogger(__name__)


class Worker(Base):
    """A process, as long as its beats go up."""

    __tablename__ = "carriers"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    host: Mapped[str]
    pid: Mapped[int]
    beats: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)  # taken for dead; a later beat takes it back


class Heartbeat:
    """This process as a carrier: registered when it is first asked for, beating from a thread until it is closed."""

    def __init__(self, begin: Begin, *, every: float = HEARTBEAT_INTERVAL) -> None:
        self._begin = begin
        self._every = every
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._carrier: int | None = None
        self._host, self._pid = socket.gethostname(), os.getpid()

    def carrier(self, *, now: datetime) -> int:
        """The id that this process claims letters under."""
        with self._lock:
            if self._carrier is None:
                self._carrier = self._register(now)
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on_beating, name="heart", daemon=True)
                self._thread.start()
            return self._carrier

    def close(self) -> None:
        """Stop beating."""
        self._stopped.set()
        if self._thread:
            self._thread.join(HEARTBEAT_INTERVAL)

    def _register(self, now: datetime) -> int:
        with self._begin() as session:
            row = Worker(host=self._host, pid=self._pid, since=now)
            session.add(row)
            session.flush()
            return row.id

    def _go_on_beating(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - no reason to die; the next beat tells that we did not
                if not is_unavailable(error):
                    log_failure(log, "a sign of life could not be given", error)

    def _beat(self) -> None:
        """One beat. Who is not in the database any more, for it lost its last seconds, is registered anew."""
        with self._begin() as session:
            mine = Worker.id == self._carrier, Worker.host == self._host, Worker.pid == self._pid
            beat = update(Worker).where(*mine).values(beats=Worker.beats + 1, ended_at=None).returning(Worker.id)
            is_known = session.scalar(beat) is not None
        if not is_known:
            with self._lock:
                self._carrier = None


class LeaseMonitor:
    """Who has fallen silent, by this watcher's own clock: two machines' times are never compared."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        heartbeat: float = HEARTBEAT_INTERVAL,
        lease: float = LEASE_DURATION,
    ) -> None:
        """`heartbeat`: seconds between two of a carrier's beats. `lease`: seconds without one until it is silent."""
        self._clock = clock
        self._heartbeat, self._lease = heartbeat, lease
        self._lock = threading.Lock()
        self._looked = clock()
        self._quiet: dict[tuple[int, int], float] = {}  # by carrier and beats: for how long there were no more

    def silent(self, session: Session) -> list[int]:
        """Carriers whose beats have not moved for 30 s of watching, and whose letters nobody has handed back since.

        Whether they hold any is asked once, when those are handed back: it means to look through all that is open.
        Between two looks no more than two beats' time counts: while the watcher itself or the database was away,
        nobody's beats could be seen.
        """
        with self._lock:
            now = self._clock()
            passed, self._looked = min(now - self._looked, 2 * self._heartbeat), now
            rows = session.execute(select(Worker.id, Worker.beats).where(Worker.ended_at.is_(None)))
            beats = [(carrier, count) for carrier, count in rows]
            before = self._quiet
            self._quiet = {seen: before[seen] + passed if seen in before else 0.0 for seen in beats}
            return [carrier for (carrier, _), quiet in self._quiet.items() if quiet >= self._lease]


def lock_expired(session: Session, silent: Sequence[int]) -> list[int]:
    """Those of the silent whom no other watcher has taken for dead meanwhile, locked: one looks through their letters.

    All watchers miss a carrier at about the same time.
    """
    mine = select(Worker.id).where(Worker.id.in_(silent), Worker.ended_at.is_(None))
    return list(session.scalars(mine.order_by(Worker.id).with_for_update()))


def has_lease(session: Session, carrier: int) -> bool:
    """Whether a carrier is not taken for dead; nobody can do so before this transaction ends."""
    found = select(Worker.id).where(Worker.id == carrier, Worker.ended_at.is_(None))
    return session.scalar(found.with_for_update(read=True)) is not None


def end_leases(session: Session, silent: Sequence[int], *, now: datetime) -> None:
    """Take carriers for dead, until they beat again: they claim nothing, and nobody watches them any more."""
    session.execute(update(Worker).where(Worker.id.in_(silent)).values(ended_at=now))
