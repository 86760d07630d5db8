"""An issue that is being sent: approve it, wait for it, and read its state from the database."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import WAITING, Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Letter
from newsletter.store.database import Database
from newsletter.store.database_errors import UNAVAILABLE
from tests.chaos import readers
from tests.chaos.clock import NOTICED_SECONDS, Clock
from tests.chaos.relay_log import TAKEN, Arrival
from tests.processes import Process

START_TIMEOUT = 120  # seconds for all processes to start
POLL_SECONDS = 0.2  # between two database queries
RETRY_SPREAD = timedelta(minutes=10)  # retries of letters deferred at the same time are due within it
SEND_DELAY = timedelta(seconds=3)  # within which the service sends a due letter
SECRET = "k1:" + "s" * 40


@dataclass(kw_only=True)
class RunningIssue:
    """An issue and the service that sends it."""

    folder: Path
    database: Database
    settings: dict[str, str]
    audience: int
    chance: random.Random
    clock: Clock | None = None  # the wall clock of the processes
    time_passes: bool = False  # skip waiting: set the clock forward to the next due letter
    issue: int = 0
    begun: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def arrivals(self) -> Iterable[Arrival]:
        """Return the letters that arrived at the relay or outbox."""
        raise NotImplementedError

    def taken(self) -> int:
        """Return how many letters have been accepted so far."""
        return sum(one.outcome == TAKEN for one in self.arrivals())

    def send(self) -> None:
        """Approve an issue."""
        with self.database.writing() as session:
            self.issue = readers.approve(session, now=datetime.now(UTC))
        self.begun = time.monotonic()

    def is_sent(self) -> bool:
        """Return whether the issue's status is sent."""
        return self.query(select(Issue.status).where(Issue.id == self.issue)) is IssueStatus.SENT

    def status(self) -> str:
        """Return the issue's status, with the reason if it is paused."""
        with self.database.reading() as session:
            issue = session.get_one(Issue, self.issue)
            return " because: ".join(filter(None, [issue.status, transitions.pause_reason(session, issue)]))

    def until(self, check: Callable[[], object], *, within: float) -> bool:
        """Wait until `check` is true; return False if the time is over or the issue is sent before that."""
        deadline = time.monotonic() + within
        while not check():
            if time.monotonic() > deadline or self.is_sent():
                return False
            time.sleep(POLL_SECONDS)
        return True

    def finish(self, *, within: float) -> bool:
        """Wait until the issue is sent; return False if the time is over. With `time_passes` it skips the waiting."""
        deadline = time.monotonic() + within
        while not self.is_sent():
            if time.monotonic() > deadline:
                return False
            if self.clock and self.time_passes:
                self._skip_waiting(self.clock)
            time.sleep(POLL_SECONDS)
        self.ended = time.monotonic()
        return True

    def _skip_waiting(self, clock: Clock) -> None:
        """Set the clock forward to the next due letters, if no delivery is claimed or due before that."""
        if self.query(select(func.count()).where(has_status(DeliveryStatus.CLAIMED))):
            return
        first = self.query(select(func.min(Delivery.due_at)).where(has_status(*WAITING)))
        if first and first > clock.now() - SEND_DELAY:
            soon = has_status(*WAITING), Delivery.due_at < first + RETRY_SPREAD
            last = self.query(select(func.max(Delivery.due_at)).where(*soon)) or first
            clock.jump(max(0, (last - clock.now()).total_seconds()) + 1)
            time.sleep(NOTICED_SECONDS)

    def query(self, statement: Select[Any]) -> Any:
        """Return the first value of the result; None while the database is unreachable."""
        try:
            with self.database.reading() as session:
                return session.scalar(statement)
        except UNAVAILABLE:
            return None

    def owed(self) -> dict[str, DeliveryStatus]:
        """Return the status of each reader's delivery, by address."""
        rows = (
            select(Subscriber.address, Delivery.status)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.issue_id == self.issue)
        )
        with self.database.reading() as session:
            return {str(address): status for address, status in session.execute(rows)}

    def doctor(self) -> list[str]:
        """Return doctor's findings."""
        with self.database.reading() as session:
            return [f"doctor: {finding.about}: {finding.says}" for finding in examination.examine(session)]

    def doctor_command(self) -> list[str]:
        """Return the end of the output of `newsletter doctor` if it fails."""
        status, output = self.run("doctor")
        return [] if status == 0 else [f"newsletter doctor: {line}" for line in output.splitlines()[-5:]]

    def status_output(self) -> str:
        """Return the output of `newsletter issues status`."""
        return self.run("issues", "status", str(self.issue))[1]

    def run(self, *words: str) -> tuple[int, str]:
        """Run the `newsletter` command; return its exit code and output."""
        process = Process("-".join(words), ["newsletter", *words], self.settings, self.folder)
        process.start()
        return process.wait(within=120), process.output()
