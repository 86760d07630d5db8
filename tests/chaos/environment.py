"""The service of a scenario as in production: real servers, our processes, and a relay with moods."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from newsletter.consent.subscribers import Subscriber
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, stands
from newsletter.mail.delivery.leases import Worker
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database
from tests.chaos import readers, relay, relay_log
from tests.chaos.clock import Clock
from tests.chaos.running_issue import LOOK, SECRET, START, Ground
from tests.processes import BEAT, WEB, WORKER, Process, bell_of, running, says_yes
from tests.servers.own_servers import MortalPostgresql, MortalRedis
from tests.servers.schema import migrate
from tests.servers.server import free_port, listens
from tests.waiting import eventually


class Relay:
    """The relay's process."""

    def __init__(self, folder: Path, seed: int, *, letters: Path | None = None) -> None:
        self.port, self._control, self.book = free_port(), free_port(), folder / "arrivals.tsv"
        given = {"port": self.port, "control": self._control, "book": self.book, "seed": seed}
        given |= {"letters": letters} if letters else {}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        root = str(Path(__file__).parents[2])
        self._mood: dict[str, float] = {}
        self.process = Process("relay", ["python", "-m", "tests.chaos.relay", *words], {"PYTHONPATH": root}, folder)

    def mood(self, **mood: float) -> None:
        """Put it into this mood and no other."""
        self._mood = mood
        relay.change(self._control, mood)

    @contextmanager
    def in_mood(self, **mood: float) -> Iterator[None]:
        """In this mood and no other while the block lasts; afterwards as before."""
        before = self._mood
        self.mood(**mood)
        yield
        self.mood(**before)

    def arrivals(self) -> list[relay_log.Arrival]:
        return list(relay_log.read(self.book))


@dataclass(kw_only=True)
class Stand(Ground):
    postgresql: MortalPostgresql
    redis: MortalRedis
    relay: Relay
    workers: Sequence[Process]
    base_url: str

    def arrivals(self) -> list[relay_log.Arrival]:
        return self.relay.arrivals()

    def taken(self) -> int:
        return relay_log.taken(self.relay.book)

    def send(self) -> None:
        """Approve an issue and ring."""
        super().send()
        with bell_of(self.redis.url) as bell:
            bell.wake(Queue.BULK)

    def carrying(self, reader: str | None = None) -> list[Process]:
        """The workers that have letters in their hands; or the one that has the letter to this reader."""
        held = select(func.count()).select_from(Delivery).where(stands(DeliveryStatus.CLAIMED))
        mine = held.join(Worker, Worker.id == Delivery.carrier_id)
        if reader:
            mine = mine.join(Subscriber, Subscriber.id == Delivery.subscriber_id).where(Subscriber.address == reader)
        return [worker for worker in self.workers if self.ask(mine.where(Worker.pid == worker.pid))]


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
    worker: Sequence[str] = WORKER,
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
            Process(f"worker-{number}", [*worker, "--hostname", f"worker-{number}@chaos", "-l", "INFO"], timed, folder)
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
            folder=folder,
            database=database,
            settings=settings,
            audience=audience,
            chance=random.Random(seed),
            clock=clock,
            time_passes=time_passes,
            postgresql=postgresql,
            redis=redis,
            relay=made,
            workers=hands,
            base_url=base_url,
        )
