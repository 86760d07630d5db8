"""The deliveries of each issue by status, counted by the workers, so that no page counts a million rows."""

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from math import inf
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import OPEN, DeliveryStatus, status_counts
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.store.database import Base, Begin, is_on_sqlite

MIN_WAIT = timedelta(seconds=5)  # between two counts of a letter
REST_FACTOR = 50  # a count that takes a second is repeated after 50: counting costs 2 % of the time at most
RUN_SECONDS = 2.0  # that one call counts at most; what is left is counted by the next one
SEARCH_SECONDS = 3600.0  # between two searches for issues that ended long ago and were never counted
ENDED_RECENTLY = timedelta(hours=1)  # an issue may begin and end between two calls


class DeliveryProgress(Base):
    """What was last counted of a letter: a number for each status; they add up to its audience."""

    __tablename__ = "delivery_counts"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letters.id"), primary_key=True)
    counts: Mapped[dict[str, Any]]  # by DeliveryStatus
    counted_at: Mapped[datetime]

    def number(self, *statuses: DeliveryStatus) -> int:
        """Return how many deliveries have one of these statuses; without statuses, how many there are."""
        return sum(int(self.counts.get(status, 0)) for status in statuses or DeliveryStatus)

    @property
    def decided(self) -> int:
        """The deliveries that are final."""
        return self.number() - self.number(*OPEN)


def of_issues(session: Session, issue_ids: Collection[int]) -> dict[int, DeliveryProgress]:
    """Return what was last counted of these issues' letters, by issue; those that were never counted are left out."""
    both = select(Letter.issue_id, DeliveryProgress).join(Letter, Letter.id == DeliveryProgress.letter_id)
    rows = session.execute(both.where(Letter.issue_id.in_(issue_ids)))
    return {issue_id: progress for issue_id, progress in rows if issue_id is not None}


class DeliveryCounter:
    """Counts the letters of issues that are being sent, and once more when none of their deliveries is open.

    Several workers may count: each looks at the stored time of the last count, so together they count no more often.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seconds: dict[int, float] = {}  # that the last count of a letter took here
        self._open: set[int] = set()  # issues that had no final count when this process last looked
        self._searched_at = -inf

    def count(self, reading: Begin, writing: Begin, *, now: datetime) -> bool:
        """Count the letters that are due for it; return whether some are left for the next call."""
        until = self._monotonic() + RUN_SECONDS
        searches = self._monotonic() - self._searched_at >= SEARCH_SECONDS
        with reading() as session:
            found = self._unfinished(session, everywhere=searches, now=now)
        for letter_id, counted_at in found.items():
            if not self._is_due(letter_id, counted_at, now):
                continue
            if self._monotonic() >= until:
                return True
            self._count_letter(reading, writing, letter_id, counted_at, now=now)
        if searches:
            self._searched_at = self._monotonic()
        return False

    def _unfinished(self, session: Session, *, everywhere: bool, now: datetime) -> dict[int, datetime | None]:
        """Return the letters without a final count, and when they were last counted; never counted ones first."""
        known = select(Letter.id, Letter.issue_id, DeliveryProgress.counted_at).join(Issue, Issue.id == Letter.issue_id)
        known = known.outerjoin(DeliveryProgress, DeliveryProgress.letter_id == Letter.id)
        known = known.where(or_(DeliveryProgress.letter_id.is_(None), _has_open()), Letter.kind == LetterKind.ISSUE)
        if not everywhere:  # conditions on issues only: their indexes find few, and letters are found by their issue
            is_live = Issue.status.in_((IssueStatus.SENDING, IssueStatus.PAUSED))
            known = known.where(or_(is_live, Issue.sent_at > now - ENDED_RECENTLY, Issue.id.in_(sorted(self._open))))
        rows = session.execute(known.order_by(Letter.id.desc())).all()
        self._open = {row.issue_id for row in rows}
        in_order = sorted(rows, key=lambda row: (row.counted_at is not None, row.counted_at))
        return {row.id: row.counted_at for row in in_order}

    def _is_due(self, letter_id: int, counted_at: datetime | None, now: datetime) -> bool:
        wait = max(MIN_WAIT, timedelta(seconds=REST_FACTOR * self._seconds.get(letter_id, 0.0)))
        return counted_at is None or not timedelta(0) <= now - counted_at < wait  # a clock may have been set back

    def _count_letter(
        self, reading: Begin, writing: Begin, letter_id: int, counted_at: datetime | None, *, now: datetime
    ) -> None:
        began = self._monotonic()
        with reading() as session:
            if not is_on_sqlite(session):
                session.execute(text("SET LOCAL statement_timeout = 0"))  # a letter may have millions
            counts = {status.value: number for status, number in status_counts(session, letter_id).items()}
        self._seconds[letter_id] = self._monotonic() - began
        with writing() as session:
            _store(session, letter_id, counts, before=counted_at, now=now)
        if not any(counts[status] for status in OPEN):
            del self._seconds[letter_id]


def _has_open() -> ColumnElement[bool]:
    """Return the SQL condition that a count found deliveries that are not final."""
    return or_(*(DeliveryProgress.counts[status.value].as_integer() > 0 for status in OPEN))


def _store(session: Session, letter_id: int, counts: dict[str, int], *, before: datetime | None, now: datetime) -> None:
    """Store a count, unless another worker has stored one since `before`, which may be the newer one."""
    dialect = sqlite if is_on_sqlite(session) else postgresql
    insert = dialect.insert(DeliveryProgress).values(letter_id=letter_id, counts=counts, counted_at=now)
    changed = {"counts": insert.excluded.counts, "counted_at": insert.excluded.counted_at}
    key = [DeliveryProgress.letter_id]
    unchanged = DeliveryProgress.counted_at == before
    session.execute(insert.on_conflict_do_update(index_elements=key, set_=changed, where=unchanged))
