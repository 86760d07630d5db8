"""Carriers: the processes that carry letters, and how a dead one is noticed."""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.database import Base, Begin

BEAT = 5.0  # seconds between two beats
SILENCE = 30.0  # seconds without one, by the watcher's own monotonic clock, after which claims are handed back


class Carrier(Base):
    """A process, as long as its beats go up."""

    __tablename__ = "carriers"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    host: Mapped[str]
    pid: Mapped[int]
    beats: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime]


class Heart:
    """This process as a carrier: registered at the first letter, beating from a thread of its own until closed."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._carrier: int | None = None

    def carrier(self, *, now: datetime) -> int:
        """The id that this process claims letters under."""
        with self._lock:
            if self._carrier is None:
                with self._begin() as session:
                    row = Carrier(host=socket.gethostname(), pid=os.getpid(), since=now)
                    session.add(row)
                    session.flush()
                    self._carrier = row.id
                threading.Thread(target=self._beat, args=(self._carrier,), name="heart", daemon=True).start()
            return self._carrier

    def close(self) -> None:
        """Stop beating."""
        self._stopped.set()

    def _beat(self, carrier: int) -> None:
        while not self._stopped.wait(BEAT):
            try:
                with self._begin() as session:
                    session.execute(update(Carrier).where(Carrier.id == carrier).values(beats=Carrier.beats + 1))
            except SQLAlchemyError:
                continue  # an absent database is no reason to die; the next beat tells that we did not


class Watch:
    """Who has fallen silent, by this watcher's own clock: never by comparing two machines' times."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[int, float]] = {}

    def silent(self, session: Session) -> list[int]:
        """Carriers whose beats have not moved for 30 s of watching."""
        now = self._clock()
        beats = {row.id: row.beats for row in session.execute(select(Carrier.id, Carrier.beats))}
        self._seen = {
            carrier: self._seen[carrier] if self._seen.get(carrier, (None,))[0] == count else (count, now)
            for carrier, count in beats.items()
        }
        return [carrier for carrier, (_, since) in self._seen.items() if now - since >= SILENCE]
