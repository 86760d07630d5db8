"""The ground on which a scenario takes place: an issue that leaves, and what the database says about it."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from newsletter.consent.subscribers import Subscriber
from newsletter.content import issues
from newsletter.content.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery.deliveries import WAITING, Delivery, DeliveryStatus, has_status
from newsletter.mail.letters.letters import Letter
from newsletter.store.database import Database
from newsletter.store.database_errors import UNAVAILABLE
from tests.chaos import readers
from tests.chaos.clock import PICKED_UP, Clock
from tests.chaos.relay_log import TAKEN, Arrival
from tests.processes import Process

START = 60  # seconds for all processes to be at work
LOOK = 0.2  # seconds between two looks at the database
TOGETHER = timedelta(minutes=10)  # letters that were put off together are due within that time of each other
RUNG = timedelta(seconds=3)  # within which a letter that is due is looked for
SECRET = "k1:" + "s" * 40


@dataclass(kw_only=True)
class Ground:
    folder: Path
    database: Database
    settings: dict[str, str]
    audience: int
    chance: random.Random
    clock: Clock | None = None  # that processes go by
    time_passes: bool = False  # it is put forward to when the next letter is due, if nothing else is to be done
    issue: int = 0
    begun: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def arrivals(self) -> Iterable[Arrival]:
        """What came of letters where they were taken to."""
        raise NotImplementedError

    def taken(self) -> int:
        """How many letters have been taken so far."""
        return sum(one.outcome == TAKEN for one in self.arrivals())

    def send(self) -> None:
        """Approve an issue."""
        with self.database.writing() as session:
            self.issue = readers.approve(session, now=datetime.now(UTC))
        self.begun = time.monotonic()

    def has_left(self) -> bool:
        """Whether the issue is called sent."""
        return self.ask(select(Issue.status).where(Issue.id == self.issue)) is IssueStatus.SENT

    def status(self) -> str:
        """Where the issue stands, and why it is paused if it is."""
        with self.database.reading() as session:
            issue = session.get_one(Issue, self.issue)
            return " because: ".join(filter(None, [issue.status, issues.pause_reason(session, issue)]))

    def until(self, check: Callable[[], object], *, within: float) -> bool:
        """Whether it came true in that time, or the issue had left before."""
        deadline = time.monotonic() + within
        while not check():
            if time.monotonic() > deadline or self.has_left():
                return False
            time.sleep(LOOK)
        return True

    def finish(self, *, within: float) -> bool:
        """Wait until the issue has left; where the clock is ours, what has to wait is not waited for."""
        deadline = time.monotonic() + within
        while not self.has_left():
            if time.monotonic() > deadline:
                return False
            if self.clock and self.time_passes:
                self._let_time_pass(self.clock)
            time.sleep(LOOK)
        self.ended = time.monotonic()
        return True

    def _let_time_pass(self, clock: Clock) -> None:
        """Put the clock forward to when the next letters are due, if nobody has anything in hand before that."""
        if self.ask(select(func.count()).where(has_status(DeliveryStatus.CLAIMED))):
            return
        first = self.ask(select(func.min(Delivery.due_at)).where(has_status(*WAITING)))
        if first and first > clock.now() - RUNG:
            soon = has_status(*WAITING), Delivery.due_at < first + TOGETHER
            last = self.ask(select(func.max(Delivery.due_at)).where(*soon)) or first
            clock.jump(max(0, (last - clock.now()).total_seconds()) + 1)
            time.sleep(PICKED_UP)

    def ask(self, question: Select[Any]) -> Any:
        """The answer; None while the database is away."""
        try:
            with self.database.reading() as session:
                return session.scalar(question)
        except UNAVAILABLE:
            return None

    def owed(self) -> dict[str, DeliveryStatus]:
        """Where the issue's letter to each reader stands."""
        rows = (
            select(Subscriber.address, Delivery.status)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.issue_id == self.issue)
        )
        with self.database.reading() as session:
            return {str(address): status for address, status in session.execute(rows)}

    def doctor(self) -> list[str]:
        """What is found wrong in the books."""
        with self.database.reading() as session:
            return [f"doctor: {finding.about}: {finding.says}" for finding in examination.examine(session)]

    def command(self) -> list[str]:
        """The same, as an operator sees it."""
        status, said = self.run("doctor")
        return [] if status == 0 else [f"newsletter doctor: {line}" for line in said.splitlines()[-5:]]

    def told(self) -> str:
        """What an operator is told of the issue."""
        return self.run("issues", "status", str(self.issue))[1]

    def run(self, *words: str) -> tuple[int, str]:
        """The `newsletter` command: its status, and what it said."""
        process = Process("-".join(words), ["newsletter", *words], self.settings, self.folder)
        process.start()
        return process.wait(within=120), process.output()
