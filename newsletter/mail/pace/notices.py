"""Bulletins: what workers say of relays that cannot be used, rest or were asked to slow down, for whoever looks.

Relays' troubles are known in the processes that write to them. They write them down here, so that the command line, the
health page and the metrics need to ask none of them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base, Begin, insert_once

REPEATED = timedelta(seconds=60)  # after which a worker says again what is still true
BELIEVED = timedelta(seconds=180)  # after which nobody believes what was not said again: who said it may have ended
REWORDED = timedelta(seconds=10)  # between two bulletins that differ only in their words


class Condition(NamedTuple):
    """What there is to say of a relay."""

    says: str  # in words for an operator; no reader's address, no secret
    lasting: bool = False  # it will not pass by itself
    halted: bool = True  # nothing leaves, not even slowly
    until: datetime | None = None  # where that is known


class Notice(Base):
    """What was last said of a place where letters go, and is not withdrawn."""

    __tablename__ = "bulletins"

    place: Mapped[str] = mapped_column(String(300), primary_key=True)  # such as "the relay mail.example.org:587"
    says: Mapped[str]
    lasting: Mapped[bool]
    halted: Mapped[bool]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    told_at: Mapped[datetime]

    @property
    def how(self) -> str:
        """It in one word."""
        return "lasting" if self.lasting else "halted" if self.halted else "slowed"

    @property
    def line(self) -> str:
        """It in one line."""
        until = f", until {self.until:%H:%M} UTC" if self.until else ""
        return f"{self.place} (since {self.since:%Y-%m-%d %H:%M} UTC{until}): {self.says}"


class NoticeWriter:
    """Says what one process knows: at once what is new or over, and now and then what is still so."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._told: dict[str, tuple[Condition, datetime]] = {}
        self._shared: set[str] = set()  # places that others speak of as well

    def cry(self, known: Mapping[str, Condition], *, now: datetime) -> None:
        """Make what is known of each place what everybody reads; of the others this process takes its word back."""
        over = self._told.keys() - known.keys()
        news = {place: said for place, said in known.items() if self._is_news(place, said, now)}
        if not (over or news):
            return
        with self._begin() as session:
            for place in over:
                self._take_back(session, place, now=now)
            shared = {place for place, said in news.items() if self._tell(session, place, said, now=now)}
        self._shared = (self._shared | shared) & known.keys()
        self._told = {place: told for place, told in self._told.items() if place in known}
        self._told |= {place: (said, now) for place, said in news.items()}

    def _is_news(self, place: str, said: Condition, now: datetime) -> bool:
        if place not in self._told:
            return True
        before, told_at = self._told[place]
        if (before.lasting, before.halted) != (said.lasting, said.halted):
            return True
        return now - told_at >= (REPEATED if before == said else REWORDED)

    def _tell(self, session: Session, place: str, said: Condition, *, now: datetime) -> bool:
        """Say it; whether others say so too. Of what was said before, and is still believed, the beginning is kept."""
        values = {**said._asdict(), "told_at": now}
        mine = Notice.place == place
        told_at = session.scalar(select(Notice.told_at).where(mine).with_for_update())
        if told_at is None:
            insert_once(session, Notice, place=place, since=now, **values)
            return False
        is_believed = told_at > now - BELIEVED
        session.execute(update(Notice).where(mine).values(**values, **({} if is_believed else {"since": now})))
        return is_believed and told_at != self._told_at(place)

    def _take_back(self, session: Session, place: str, *, now: datetime) -> None:
        """Take our word back at once; what others mean too they have to say again, or it is believed no longer."""
        mine = Notice.place == place
        if place not in self._shared:
            session.execute(delete(Notice).where(mine, Notice.told_at == self._told_at(place)))
        soon = now - BELIEVED + 2 * REPEATED
        session.execute(update(Notice).where(mine, Notice.told_at > soon).values(told_at=soon))

    def _told_at(self, place: str) -> datetime | None:
        return self._told[place][1] if place in self._told else None


def current(session: Session, *, now: datetime) -> list[Notice]:
    """What workers say at present, what will not pass by itself first."""
    fresh = select(Notice).where(Notice.told_at > now - BELIEVED)
    return list(session.scalars(fresh.order_by(Notice.lasting.desc(), Notice.since, Notice.place)))
