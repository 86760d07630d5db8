"""Where a scenario takes place: real servers, our processes, a relay with moods, and an issue to send."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from newsletter.consent.subscribers import Subscriber
from newsletter.content.issues import Issue
from newsletter.content.issues import Status as IssueStatus
from newsletter.database import Database
from newsletter.doorbell import Room
from newsletter.post.carriers import Carrier
from newsletter.post.deliveries import WAITING, Delivery, Status, stands
from newsletter.post.letters import Letter
from tests.chaos import book, readers, relay
from tests.chaos.clock import PICKED_UP, Clock
from tests.processes import BEAT, WEB, WORKER, Process, bell_of, running, says_yes
from tests.servers.mortal import MortalPostgresql, MortalRedis
from tests.servers.schema import migrate
from tests.servers.server import free_port, listens
from tests.waiting import eventually

START = 60  # seconds for all processes to be at work
LOOK = 0.2  # seconds between two looks at the database
SECRET = "k1:" + "s" * 40


class Relay:
    """The relay's process."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.port, self._control, self.book = free_port(), free_port(), folder / "arrivals.tsv"
        given = {"port": self.port, "control": self._control, "book": self.book, "seed": seed}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        root = str(Path(__file__).parents[2])
        self.process = Process("relay", ["python", "-m", "tests.chaos.relay", *words], {"PYTHONPATH": root}, folder)

    def mood(self, **mood: float) -> None:
        relay.change(self._control, mood)

    def arrivals(self) -> list[book.Arrival]:
        return list(book.read(self.book))

    def taken(self) -> int:
        """How many letters it has taken so far."""
        return sum(one.fate == book.TAKEN for one in book.read(self.book))


@dataclass
class Stand:
    folder: Path
    database: Database
    postgresql: MortalPostgresql
    redis: MortalRedis
    relay: Relay
    workers: Sequence[Process]
    beat: Process
    web: Process
    base_url: str
    settings: dict[str, str]
    audience: int
    chance: random.Random
    clock: Clock | None = None  # that all processes go by; time passes when nothing else is to be done
    time_passes: bool = False
    issue: int = 0
    begun: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def send(self) -> None:
        """Approve an issue and ring."""
        with self.database.writing() as session:
            self.issue = readers.approve(session, now=datetime.now(UTC))
        self.begun = time.monotonic()
        with bell_of(self.redis.url) as bell:
            bell.ring(Room.BULK)

    def carrying(self) -> list[Process]:
        """The workers that have letters in their hands."""
        mine = select(func.count()).join(Carrier, Carrier.id == Delivery.carrier_id).where(stands(Status.CLAIMED))
        return [worker for worker in self.workers if self._ask(mine.where(Carrier.pid == worker.pid))]

    def has_left(self) -> bool:
        """Whether the issue is called sent."""
        return self._ask(select(Issue.status).where(Issue.id == self.issue)) is IssueStatus.SENT

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
        """Put the clock forward to when the next letter is due, if nobody has anything in hand before that."""
        if self._ask(select(func.count()).where(stands(Status.CLAIMED))):
            return
        due = self._ask(select(func.min(Delivery.due_at)).where(stands(*WAITING)))
        if due and (ahead := (due - clock.now()).total_seconds()) > 0:
            clock.jump(ahead + 2)
            time.sleep(PICKED_UP)

    def _ask(self, question) -> object:
        """The answer; None while the database is away."""
        try:
            with self.database.reading() as session:
                return session.scalar(question)
        except SQLAlchemyError:
            return None

    def owed(self) -> dict[str, Status]:
        """Where the issue's letter to each reader stands."""
        rows = (
            select(Subscriber.address, Delivery.status)
            .join(Delivery, Delivery.subscriber_id == Subscriber.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.issue_id == self.issue)
        )
        with self.database.reading() as session:
            return {str(address): status for address, status in session.execute(rows)}

    def counts(self) -> Counter[Status]:
        return Counter(self.owed().values())

    def doctor(self) -> list[str]:
        """What `newsletter doctor` finds wrong."""
        process = Process("doctor", ["newsletter", "doctor"], self.settings, self.folder)
        process.start()
        status = process.wait(within=120)
        return [] if status == 0 else [f"doctor: {line}" for line in process.output().splitlines()[-5:]]


@contextmanager
def laid(
    folder: Path,
    *,
    audience: int,
    seed: int,
    connections: int = 20,
    options: str = "",
    faked: bool = False,
    time_passes: bool = False,
    with_web: bool = False,
    workers: int = 2,
) -> Iterator[Stand]:
    """Everything in place and at work, the issue not yet approved. `options` go on the relay's URL."""
    with ExitStack() as last:
        postgresql, redis = MortalPostgresql(), MortalRedis()
        last.callback(postgresql.stop)
        last.callback(redis.stop)
        migrate(postgresql.url)
        database = last.enter_context(closing(Database(postgresql.url)))
        readers.settled(database, audience, seed=seed)
        made, port = Relay(folder, seed), free_port()
        clock = Clock(folder) if faked else None
        base_url = f"http://127.0.0.1:{port}"
        settings = {
            "NEWSLETTER_DATABASE_URL": postgresql.url,
            "NEWSLETTER_REDIS_URL": redis.url,
            "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{made.port}?connections={connections}{options}",
            "NEWSLETTER_BASE_URL": base_url,
            "NEWSLETTER_SECRET_KEYS": SECRET,
            "NEWSLETTER_DATA_DIR": str(folder),
        }
        timed = settings | (clock.environment() if clock else {})
        hands = [
            Process(f"worker-{number}", [*WORKER, "--hostname", f"worker-{number}@chaos", "-l", "INFO"], timed, folder)
            for number in range(1, workers + 1)
        ]
        beat = Process("beat", [*BEAT, "-l", "WARNING"], timed if time_passes else settings, folder)
        site = [*WEB, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        web = Process("web", site, settings, folder)
        last.enter_context(running(made.process, *hands, beat, *([web] if with_web else [])))
        eventually(lambda: listens(made.port), within=START)
        eventually(lambda: all("worker started" in worker.output() for worker in hands), within=START, every=LOOK)
        eventually(lambda: not with_web or says_yes(f"{base_url}/health/ready"), within=START, every=LOOK)
        yield Stand(
            folder,
            database,
            postgresql,
            redis,
            made,
            hands,
            beat,
            web,
            base_url,
            settings,
            audience,
            random.Random(seed),
            clock,
            time_passes,
        )
