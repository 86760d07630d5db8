"""One run: an issue is approved, the workers do the rest, and what it came to is read in the database."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, literal_column, select, text
from sqlalchemy.orm import Session

from newsletter import audit_log, clock
from newsletter.bench.environment import BenchWorkers
from newsletter.content import issues
from newsletter.content.issues import Issue
from newsletter.errors import NewsletterError
from newsletter.mail.delivery.deliveries import WAITING, Delivery, DeliveryStatus, has_status, status_counts
from newsletter.mail.letters.letters import Letter

LOOK = 0.02  # seconds between two looks at whether it is over, towards the end
GLANCE = 0.25  # before that
NEARLY = 100  # the sink still waits for one letter in so many when the end is looked for
SILENCE = 120.0  # seconds without a letter until the run is given up


@dataclass(frozen=True)
class BenchRun:
    """What one run came to."""

    letter: int  # its id
    sums: dict[str, int]
    audience: int
    seconds: float  # from the first claim to the moment when the last delivery was seen recorded
    since_approval: float  # the same, from the operator's approval
    counted: int | None  # by the sink
    groups: int  # commits that recorded these letters
    commits: int  # of the whole database meanwhile
    cpu: dict[str, float]
    peak_mb: dict[str, float]

    @property
    def sent(self) -> int:
        """Letters that were recorded as sent."""
        return self.sums[DeliveryStatus.SENT]

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.sent / self.seconds

    @property
    def told(self) -> dict[str, Any]:
        """For the report."""
        return {
            "letters_per_second": round(self.rate, 1),
            "seconds": round(self.seconds, 3),
            "seconds_since_approval": round(self.since_approval, 3),
            "audience": self.audience,
            **self.sums,
            "counted_by_sink": self.counted,
            # A sink that only counts cannot tell a letter that is lost and one that is doubled from two that are fine.
            "difference": None if self.counted is None else self.counted - self.sent,
            "letters_per_commit": round(self.sent / self.groups, 1) if self.groups else None,
            "commits": self.commits,
            "cpu_seconds": self.cpu,
            "cpu_seconds_per_1000_letters": {
                name: round(seconds * 1000 / max(1, self.sent), 4) for name, seconds in self.cpu.items()
            },
            "peak_memory_mb": self.peak_mb,
        }


def send(
    staff: BenchWorkers,
    issue_id: int,
    told: Callable[[int, int], None],
    meanwhile: AbstractContextManager[object] | None = None,
) -> BenchRun:
    """Approve an issue and wait until its last delivery is recorded; `told` how many letters of how many have left.

    What is to happen meanwhile begins when every reader is owed a letter, and ends with the last record. Raises
    NewsletterError where nothing moves for two minutes.
    """
    database, counted = staff.town.database, staff.relay.count()
    meter, commits = staff.meter(), _commits(staff)
    with database.writing() as session:
        issues.approve(session, session.get_one(Issue, issue_id), actor=audit_log.system_user(), now=clock.now())
    approved = clock.now()
    audience = _begun(staff, issue_id)
    with meanwhile or nullcontext():
        _wait(staff, issue_id, audience, told, base=counted)
    ended = clock.now()
    commits = _commits(staff) - commits
    cpu, peaks = meter.read()
    now_counted = staff.relay.count()
    with database.reading() as session:
        letter = session.scalars(select(Letter).where(Letter.issue_id == issue_id)).one()
        first, groups = _recorded(session, letter.id)
        return BenchRun(
            letter=letter.id,
            sums={status.value: n for status, n in status_counts(session, letter.id).items()},
            audience=letter.audience,
            seconds=(ended - first).total_seconds(),
            since_approval=(ended - approved).total_seconds(),
            counted=None if now_counted is None or counted is None else now_counted - counted,
            groups=groups,
            commits=commits,
            cpu=cpu,
            peak_mb=peaks,
        )


def _begun(staff: BenchWorkers, issue_id: int) -> int:
    """Wait until the workers have begun the issue; how many readers it has."""
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        staff.check()
        with staff.town.database.reading() as session:
            audience = session.scalar(select(Letter.audience).where(Letter.issue_id == issue_id))
            _mind(session, issue_id)
        if audience is not None:
            return audience
        time.sleep(LOOK)
    raise NewsletterError(f"The workers have not begun the issue within {SILENCE:.0f} seconds.")


def _wait(
    staff: BenchWorkers, issue_id: int, audience: int, told: Callable[[int, int], None], *, base: int | None
) -> None:
    """Until every delivery of the issue is decided. The database is asked often only towards the end: that costs."""
    moved, before = time.monotonic(), -1
    while True:
        staff.check()
        gone = (staff.relay.count() or 0) - (base or 0)
        if gone != before:
            moved, before = time.monotonic(), gone
            told(gone, audience)
        is_near = base is not None and gone >= audience - audience // NEARLY
        is_still = time.monotonic() - moved > 2 * GLANCE
        if is_near or is_still:
            with staff.town.database.reading() as session:
                if not _is_open(session, issue_id):
                    return
                _mind(session, issue_id)
        if base is not None and time.monotonic() - moved > SILENCE:
            raise NewsletterError(f"Nothing has left for {SILENCE:.0f} seconds: {gone:,} letters of {audience:,} have.")
        time.sleep(LOOK if is_near else GLANCE)


def _mind(session: Session, issue_id: int) -> None:
    issue = session.get_one(Issue, issue_id)
    if issue.status is issues.IssueStatus.PAUSED:
        raise NewsletterError(f"The issue was paused: {issues.pause_reason(session, issue)}")


def _is_open(session: Session, issue_id: int) -> bool:
    """Whether something of it is owed or in hand; each question has a partial index."""
    letter = select(Letter.id).where(Letter.issue_id == issue_id).scalar_subquery()
    of_it = exists().where(Delivery.letter_id == letter)
    questions = select(of_it.where(has_status(*WAITING)), of_it.where(has_status(DeliveryStatus.CLAIMED)))
    return any(session.execute(questions).one())


def _recorded(session: Session, letter: int) -> tuple[datetime, int]:
    """When the first of its deliveries was claimed, and how many transactions wrote what became of them.

    A row's xmin is the transaction that wrote it last, and that is the one which recorded it.
    """
    first, groups = session.execute(
        select(
            func.min(Delivery.first_tried_at),
            func.count(func.distinct(literal_column("deliveries.xmin::text"))),
        ).where(Delivery.letter_id == letter, has_status(DeliveryStatus.SENT))
    ).one()
    if first is None:
        raise NewsletterError("No letter was sent.")
    return first, groups


def _commits(staff: BenchWorkers) -> int:
    question = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    with staff.town.database.reading() as session:
        return int(session.scalar(text(question)) or 0)
