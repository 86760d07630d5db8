"""Notices: relays that workers report as unusable, resting or throttled.

Only the processes that send to a relay know its problems. They write them to the database, so that the command line,
the health page and the metrics need not ask the processes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.store.database import Base, Begin, insert_once

REPEAT_AFTER = timedelta(seconds=60)  # a worker writes again what is still true
VALID_FOR = timedelta(seconds=180)  # a notice that was not written again is ignored: its worker may have ended
REWORD_AFTER = timedelta(seconds=10)  # between two notices that differ only in their text


class Condition(NamedTuple):
    """The condition of a relay, with the columns of its notice."""

    says: str  # for an operator; no reader's address, no secret
    lasting: bool = False  # it does not pass by itself
    halted: bool = True  # nothing leaves, not even slowly
    until: datetime | None = None  # if known


class Notice(Base):
    """What was last reported of a relay or the outbox, and not withdrawn."""

    __tablename__ = "bulletins"

    place: Mapped[str] = mapped_column(String(300), primary_key=True)  # such as "the relay mail.example.org:587"
    says: Mapped[str]
    lasting: Mapped[bool]
    halted: Mapped[bool]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    told_at: Mapped[datetime]  # when it was last written

    @property
    def severity(self) -> str:
        """The severity: lasting, halted or slowed. The metrics use these words."""
        return "lasting" if self.lasting else "halted" if self.halted else "slowed"

    @property
    def line(self) -> str:
        """The notice on one line, for an operator."""
        until = f", until {self.until:%H:%M} UTC" if self.until else ""
        return f"{self.place} (since {self.since:%Y-%m-%d %H:%M} UTC{until}): {self.says}"


class NoticeWriter:
    """Writes the notices of one process: changes at once, and what is still true once a minute."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._written: dict[str, tuple[Condition, datetime]] = {}
        self._shared: set[str] = set()  # places that other processes report as well

    def write(self, conditions: Mapping[str, Condition], *, now: datetime) -> None:
        """Write the condition of each place, and withdraw this process's notices of all other places."""
        over = self._written.keys() - conditions.keys()
        due = {place: condition for place, condition in conditions.items() if self._is_due(place, condition, now)}
        if not (over or due):
            return
        with self._begin() as session:
            for place in over:
                self._withdraw(session, place, now=now)
            shared = {place for place, condition in due.items() if self._write(session, place, condition, now=now)}
        self._shared = (self._shared | shared) & conditions.keys()
        self._written = {place: written for place, written in self._written.items() if place in conditions}
        self._written |= {place: (condition, now) for place, condition in due.items()}

    def _is_due(self, place: str, condition: Condition, now: datetime) -> bool:
        if place not in self._written:
            return True
        before, written_at = self._written[place]
        if (before.lasting, before.halted) != (condition.lasting, condition.halted):
            return True
        return now - written_at >= (REPEAT_AFTER if before == condition else REWORD_AFTER)

    def _write(self, session: Session, place: str, condition: Condition, *, now: datetime) -> bool:
        """Write a notice; return whether another process reports the place too. A valid notice keeps its `since`."""
        values = {**condition._asdict(), "told_at": now}
        this = Notice.place == place
        told_at = session.scalar(select(Notice.told_at).where(this).with_for_update())
        if told_at is None:
            insert_once(session, Notice, place=place, since=now, **values)
            return False
        is_valid = told_at > now - VALID_FOR
        session.execute(update(Notice).where(this).values(**values, **({} if is_valid else {"since": now})))
        return is_valid and told_at != self._written_at(place)

    def _withdraw(self, session: Session, place: str, *, now: datetime) -> None:
        """Delete this process's own notice; one that others share expires soon, unless they write it again."""
        this = Notice.place == place
        if place not in self._shared:
            session.execute(delete(Notice).where(this, Notice.told_at == self._written_at(place)))
        soon = now - VALID_FOR + 2 * REPEAT_AFTER
        session.execute(update(Notice).where(this, Notice.told_at > soon).values(told_at=soon))

    def _written_at(self, place: str) -> datetime | None:
        return self._written[place][1] if place in self._written else None


def current(session: Session, *, now: datetime) -> list[Notice]:
    """Return the valid notices, those that do not pass by themselves first."""
    valid = select(Notice).where(Notice.told_at > now - VALID_FOR)
    return list(session.scalars(valid.order_by(Notice.lasting.desc(), Notice.since, Notice.place)))
