"""One run: approve an issue, wait until the workers have sent it, and read the result from the database."""

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
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.issues.issues import Issue
from newsletter.errors import NewsletterError
from newsletter.mail.delivery.deliveries import WAITING, Delivery, DeliveryStatus, has_status, status_counts
from newsletter.mail.letters.letters import Letter

FAST_POLL_SECONDS = 0.02  # between two checks near the end
SLOW_POLL_SECONDS = 0.25  # between two checks before that
NEAR_END_FRACTION = 100  # near the end: at most one letter in a hundred is missing
STALL_SECONDS = 120.0  # without a letter until the run fails


@dataclass(frozen=True)
class BenchRun:
    """The result of one run."""

    letter: int  # id
    sums: dict[str, int]  # deliveries by status
    audience: int
    seconds: float  # from the first claim until the last delivery is recorded
    since_approval: float  # seconds from the operator's approval until the last delivery is recorded
    counted: int | None  # letters, by the sink
    groups: int  # commits that recorded these deliveries
    commits: int  # of the whole database during the run
    cpu: dict[str, float]  # seconds by process
    peak_mb: dict[str, float]  # by process

    @property
    def sent(self) -> int:
        """Deliveries recorded as sent."""
        return self.sums[DeliveryStatus.SENT]

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.sent / self.seconds

    @property
    def figures(self) -> dict[str, Any]:
        """The run's part of the report, under stable names."""
        return {
            "letters_per_second": round(self.rate, 1),
            "seconds": round(self.seconds, 3),
            "seconds_since_approval": round(self.since_approval, 3),
            "audience": self.audience,
            **self.sums,
            "counted_by_sink": self.counted,
            # A mere count hides one lost letter behind one doubled letter.
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
    workers: BenchWorkers,
    issue_id: int,
    show_progress: Callable[[int, int], None],
    meanwhile: AbstractContextManager[object] | None = None,
) -> BenchRun:
    """Approve an issue and wait until its last delivery is recorded.

    The block `meanwhile` lasts from the moment at which every delivery is queued to the last recorded result. Raises
    NewsletterError if no letter is sent for two minutes, if the issue is paused, or if a process ends.
    """
    database, counted = workers.environment.database, workers.relay.count()
    meter, commits = workers.meter(), _commits(workers)
    with database.writing() as session:
        approvals.approve(session, session.get_one(Issue, issue_id), actor=audit_log.system_user(), now=clock.now())
    approved = clock.now()
    audience = _wait_until_queued(workers, issue_id)
    with meanwhile or nullcontext():
        _wait_until_recorded(workers, issue_id, audience, show_progress, counted_before=counted)
    ended = clock.now()
    commits = _commits(workers) - commits
    cpu, peaks = meter.read()
    now_counted = workers.relay.count()
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


def _wait_until_queued(workers: BenchWorkers, issue_id: int) -> int:
    """Wait until the workers have queued the issue's deliveries; return its audience."""
    deadline = time.monotonic() + STALL_SECONDS
    while time.monotonic() < deadline:
        workers.check()
        with workers.environment.database.reading() as session:
            audience = session.scalar(select(Letter.audience).where(Letter.issue_id == issue_id))
            _check_not_paused(session, issue_id)
        if audience is not None:
            return audience
        time.sleep(FAST_POLL_SECONDS)
    raise NewsletterError(f"The workers have not started the issue within {STALL_SECONDS:.0f} seconds.")


def _wait_until_recorded(
    workers: BenchWorkers,
    issue_id: int,
    audience: int,
    show_progress: Callable[[int, int], None],
    *,
    counted_before: int | None,
) -> None:
    """Wait until every delivery of the issue is final. Query the database only near the end: queries cost speed."""
    changed_at, last_count = time.monotonic(), -1
    while True:
        workers.check()
        count = (workers.relay.count() or 0) - (counted_before or 0)
        if count != last_count:
            changed_at, last_count = time.monotonic(), count
            show_progress(count, audience)
        is_near_end = counted_before is not None and count >= audience - audience // NEAR_END_FRACTION
        is_still = time.monotonic() - changed_at > 2 * SLOW_POLL_SECONDS
        if is_near_end or is_still:
            with workers.environment.database.reading() as session:
                if not _is_open(session, issue_id):
                    return
                _check_not_paused(session, issue_id)
        if counted_before is not None and time.monotonic() - changed_at > STALL_SECONDS:
            raise NewsletterError(
                f"No letter was sent for {STALL_SECONDS:.0f} seconds, after {count:,} letters of {audience:,}."
            )
        time.sleep(FAST_POLL_SECONDS if is_near_end else SLOW_POLL_SECONDS)


def _check_not_paused(session: Session, issue_id: int) -> None:
    issue = session.get_one(Issue, issue_id)
    if issue.status is issues.IssueStatus.PAUSED:
        raise NewsletterError(f"The issue was paused: {transitions.pause_reason(session, issue)}")


def _is_open(session: Session, issue_id: int) -> bool:
    """Return whether a delivery of the issue is waiting or claimed; both conditions have a partial index."""
    letter = select(Letter.id).where(Letter.issue_id == issue_id).scalar_subquery()
    deliveries = exists().where(Delivery.letter_id == letter)
    query = select(deliveries.where(has_status(*WAITING)), deliveries.where(has_status(DeliveryStatus.CLAIMED)))
    return any(session.execute(query).one())


def _recorded(session: Session, letter: int) -> tuple[datetime, int]:
    """Return when the first delivery was claimed, and how many transactions recorded the results.

    A row's xmin is the transaction that wrote it last, which is the one that recorded the result.
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


def _commits(workers: BenchWorkers) -> int:
    query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    with workers.environment.database.reading() as session:
        return int(session.scalar(text(query)) or 0)
