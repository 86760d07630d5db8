"""Start workers and beat as separate processes, with an outbox for their letters."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter import newsletters
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database
from tests.builders import a_newsletter, a_signup
from tests.processes import BEAT, RAISED_LIMITS, WORKER, Process, running
from tests.servers.databases import opened
from tests.waiting import eventually


@dataclass(frozen=True)
class Installation:
    """The database, Redis, outbox and processes of one service."""

    database: Database
    redis_url: str
    folder: Path
    environment: dict[str, str]
    stack: ExitStack

    def start(self, name: str, *command: str, **settings: str) -> Process:
        """Start one of our programs, which ends with the test."""
        process = Process(name, command, self.environment | settings, self.folder)
        self.stack.enter_context(running(process))
        return process

    def worker(self, name: str = "worker", *options: str, **settings: str) -> Process:
        """Start a worker, and wait until it is ready."""
        process = self.start(name, *WORKER, "--loglevel=INFO", *options, **settings)
        eventually(lambda: "worker started" in process.output() or not process.runs)
        return process

    def beat(self, name: str = "beat") -> Process:
        """Start beat."""
        return self.start(name, *BEAT, "--loglevel=INFO")

    def wake(self, queue: Queue = Queue.URGENT) -> None:
        """Wake a queue once, as the site does."""
        with broker.connect(self.redis_url) as app, closing(broker.wakeups(app)) as wakeups:
            wakeups.wake(queue)

    def sign_up(self, number: int = 1) -> None:
        """Insert sign-ups, as the site does, without waking a queue."""
        with self.database.writing() as session:
            newsletter = newsletters.by_slug(session, "morning") or a_newsletter(session)
            for _ in range(number):
                a_signup(session, newsletter, received_at=datetime.now(UTC))

    def letters(self) -> list[Path]:
        """Return the files in the outbox."""
        return list(self.folder.glob("outbox/new/*"))

    def statuses(self) -> list[DeliveryStatus]:
        """Return the status of every delivery."""
        with self.database.reading() as session:
            return list(session.scalars(select(Delivery.status)))


@pytest.fixture
def installation_on(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Return a function that makes an installation on a given database."""
    with ExitStack() as stack:

        def build(database_url: str, **settings: str) -> Installation:
            options = {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "DATA_DIR": str(tmp_path),
                "SECRET_KEYS": "k1:" + "s" * 40,
                **RAISED_LIMITS,
                **settings,
            }
            environment = {f"NEWSLETTER_{name}": value for name, value in options.items()}
            database = stack.enter_context(closing(opened(database_url)))
            return Installation(database, redis_url, tmp_path, environment, stack)

        yield build


@pytest.fixture
def installation(installation_on: Callable[..., Installation], sqlite_url: str) -> Installation:
    """An installation on SQLite, with an outbox."""
    return installation_on(sqlite_url)
