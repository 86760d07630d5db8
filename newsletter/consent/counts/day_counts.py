"""The readers of each newsletter by day, counted by the workers, so that no page counts a million rows.

Who joined and who left is read from the ledger. Who reads today is counted, and the days before follow from that:
readers of a day = readers of the day before + joined - left.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Date, exists, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import EFFECTS, Event, LedgerEntry
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base, Begin, is_on_sqlite

ALL = 0  # instead of a newsletter's id: people, each counted once
DAYS_BACK = 84  # days that are counted, today included: twelve weeks
DAYS_AT_ONCE = 7
SETTLING_TIME = timedelta(hours=1)  # after a day's end: then its last entries are committed
MIN_WAIT = timedelta(seconds=5)  # between two counts of a day
REST_FACTOR = 50  # a count that takes a second is repeated after 50: counting costs 2 % of the time at most
ROWS_AT_ONCE = 5000
ONE_DAY = timedelta(days=1)


class DayCounts(Base):
    """Who joined and left on one day (UTC), and who read at its end."""

    __tablename__ = "day_counts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    newsletter_id: Mapped[int] = mapped_column(primary_key=True)  # or ALL
    joined: Mapped[int]
    left: Mapped[int]
    readers: Mapped[int]
    counted_at: Mapped[datetime]


class StandingChange(NamedTuple):
    """One entry of the ledger, as far as it is counted."""

    subject: bytes
    newsletter_id: int
    event: Event
    at: datetime


class Movements(NamedTuple):
    """How many joined and left, by day and newsletter or ALL."""

    joined: Counter[tuple[date, int]]
    left: Counter[tuple[date, int]]


def movements(entries: Iterable[StandingChange]) -> Movements:
    """Return who joined and left according to these entries: whole histories, in order, one subject after another.

    A person joins ALL with the first newsletter and leaves it with the last; who exchanges one for another at the same
    moment does neither.
    """
    moved = Movements(Counter(), Counter())
    for _, history in groupby(entries, key=lambda entry: entry.subject):
        events: dict[int, list[Event]] = {}
        reads: set[int] = set()
        for at, together in groupby(history, key=lambda entry: entry.at):
            before = set(reads)
            for entry in together:
                past = events.setdefault(entry.newsletter_id, [])
                past.append(entry.event)
                is_reader = ledger.standing(past) is Standing.SUBSCRIBED
                (reads.add if is_reader else reads.discard)(entry.newsletter_id)
            _move(moved, at.astimezone(UTC).date(), before, reads)
    return moved


def _move(moved: Movements, day: date, before: set[int], after: set[int]) -> None:
    for newsletter_id in after - before:
        moved.joined[day, newsletter_id] += 1
    for newsletter_id in before - after:
        moved.left[day, newsletter_id] += 1
    if bool(before) != bool(after):
        (moved.joined if after else moved.left)[day, ALL] += 1


class DayCounter:
    """Counts today again and again, each day once more when it is over, and at first the twelve weeks before.

    Several workers may count: each looks at the stored time of the last count, so together they count no more often.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seconds = 0.0  # that the last count took here

    def count(self, reading: Begin, writing: Begin, *, now: datetime) -> bool:
        """Count the days that are due for it, a week at most; return whether more are due."""
        began = self._monotonic()
        with reading() as session:
            due = self._due(session, now)
            days = [day for day in due if due[0] - day < timedelta(days=DAYS_AT_ONCE)]
            if not days:
                return False
            if not is_on_sqlite(session):
                session.execute(text("SET LOCAL statement_timeout = 0"))
            rows = _counted(session, days, now=now)
        with writing() as session:
            _store(session, rows)
        if now.date() in days:
            self._seconds = self._monotonic() - began
        return len(days) < len(due)

    def _due(self, session: Session, now: datetime) -> list[date]:
        """Return the days to count, the newest first: none before the ledger's first entry."""
        today = now.date()
        since = today - (DAYS_BACK - 1) * ONE_DAY
        stored = select(DayCounts.day, DayCounts.counted_at).where(DayCounts.newsletter_id == ALL)
        counted_at = dict(session.execute(stored.where(DayCounts.day >= since)).all())
        first = session.scalar(select(func.min(LedgerEntry.at)))
        oldest = max(since, min(today, first.date())) if first else today
        days = [today - number * ONE_DAY for number in range((today - oldest).days + 1)]
        return [day for day in days if self._is_due(day, counted_at.get(day), now)]

    def _is_due(self, day: date, counted_at: datetime | None, now: datetime) -> bool:
        if counted_at is None:
            return True
        if counted_at >= _start(day + ONE_DAY) + SETTLING_TIME:
            return False
        wait = max(MIN_WAIT, timedelta(seconds=REST_FACTOR * self._seconds))
        return not timedelta(0) <= now - counted_at < wait  # a clock may have been set back


class _Day(NamedTuple):
    """The counts of one newsletter, or of ALL, on one day."""

    readers: int
    joined: int
    left: int


def _counted(session: Session, days: list[date], *, now: datetime) -> list[dict[str, Any]]:
    """Return the rows of these days, which are given newest first and lie within a week."""
    newest, oldest = days[0], days[-1]
    moved = movements(_histories(session, since=_start(oldest), until=_start(newest + ONE_DAY)))
    created = dict(session.execute(select(Newsletter.id, Newsletter.created_at)).all())
    stored = _stored(session, since=oldest, until=newest + ONE_DAY)
    readers = _readers(session) if newest == now.date() else {}
    rows: list[dict[str, Any]] = []
    for number in (ALL, *created):
        after = stored.get((newest + ONE_DAY, number), _Day(0, 0, 0))
        for day in (newest - n * ONE_DAY for n in range((newest - oldest).days + 1)):
            if day in days:
                reads = max(after.readers - after.joined + after.left, 0)
                reads = readers.get(number, 0) if day == now.date() else reads
                after = _Day(reads, moved.joined[day, number], moved.left[day, number])
                if number == ALL or created[number].date() <= day:
                    rows.append({"day": day, "newsletter_id": number, **after._asdict(), "counted_at": now})
            else:
                after = stored.get((day, number), _Day(0, 0, 0))
    return rows


def _stored(session: Session, *, since: date, until: date) -> dict[tuple[date, int], _Day]:
    rows = session.scalars(select(DayCounts).where(DayCounts.day.between(since, until)))
    return {(row.day, row.newsletter_id): _Day(row.readers, row.joined, row.left) for row in rows}


def _histories(session: Session, *, since: datetime, until: datetime) -> Iterator[StandingChange]:
    """Yield all entries about newsletters of the subjects who have one in this time."""
    deciding = LedgerEntry.event.in_(EFFECTS), LedgerEntry.newsletter_id.is_not(None)
    moving = select(LedgerEntry.subject).where(LedgerEntry.at >= since, LedgerEntry.at < until, *deciding)
    columns = select(LedgerEntry.subject, LedgerEntry.newsletter_id, LedgerEntry.event, LedgerEntry.at)
    entries = columns.where(LedgerEntry.subject.in_(moving), *deciding)
    in_order = entries.order_by(LedgerEntry.subject, LedgerEntry.ordinal)
    for row in session.execute(in_order, execution_options={"yield_per": ROWS_AT_ONCE}):
        yield StandingChange._make(row)


def _readers(session: Session) -> dict[int, int]:
    """Count the readers of each newsletter, and people: confirmed, not left, not suppressed."""
    is_reader = Subscription.standing == Standing.SUBSCRIBED
    with_people = select(Subscription).join(Subscriber, Subscriber.id == Subscription.subscriber_id)
    wanted = with_people.where(is_reader, Subscriber.suppressed.is_(None))
    each = wanted.with_only_columns(Subscription.newsletter_id, func.count()).group_by(Subscription.newsletter_id)
    by_newsletter = dict(session.execute(each).all())
    if len(by_newsletter) <= 1:  # then both counts are the same
        return {**by_newsletter, ALL: sum(by_newsletter.values())}
    reads = exists().where(Subscription.subscriber_id == Subscriber.id, is_reader)
    people = select(func.count()).select_from(Subscriber).where(Subscriber.suppressed.is_(None), reads)
    return {**by_newsletter, ALL: session.scalar(people) or 0}


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _store(session: Session, rows: list[dict[str, Any]]) -> None:
    dialect = sqlite if is_on_sqlite(session) else postgresql
    insert = dialect.insert(DayCounts)
    changed = {name: insert.excluded[name] for name in ("joined", "left", "readers", "counted_at")}
    key = [DayCounts.day, DayCounts.newsletter_id]
    session.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), rows)
