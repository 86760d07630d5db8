"""A scenario's service as in production: real servers, the service's processes, and a misbehaving relay."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, has_status
from newsletter.mail.delivery.leases import Worker
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database
from tests.chaos import readers, relay, relay_log
from tests.chaos.clock import Clock
from tests.chaos.running_issue import POLL_SECONDS, SECRET, START_TIMEOUT, RunningIssue
from tests.processes import BEAT, RAISED_LIMITS, WEB, WORKER, Process, connected_wakeups, is_ok, running
from tests.servers.own_servers import RestartablePostgresql, RestartableRedis
from tests.servers.schema import migrate
from tests.servers.server import free_port, listens
from tests.waiting import eventually


class RelayProcess:
    """The relay, running as a process."""

    def __init__(self, folder: Path, seed: int, *, letters: Path | None = None) -> None:
        self.port, self._control, self.log = free_port(), free_port(), folder / "arrivals.tsv"
        options = {"port": self.port, "control": self._control, "log": self.log, "seed": seed}
        options |= {"letters": letters} if letters else {}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        root = str(Path(__file__).parents[2])
        self._misbehavior: dict[str, float] = {}
        self.process = Process("relay", ["python", "-m", "tests.chaos.relay", *words], {"PYTHONPATH": root}, folder)

    def misbehave(self, **misbehavior: float) -> None:
        """Set the relay's misbehavior; it replaces the previous one."""
        self._misbehavior = misbehavior
        relay.change(self._control, misbehavior)

    @contextmanager
    def misbehaving(self, **misbehavior: float) -> Iterator[None]:
        """Set the relay's misbehavior for the block; afterwards the previous one returns."""
        before = self._misbehavior
        self.misbehave(**misbehavior)
        yield
        self.misbehave(**before)

    def arrivals(self) -> list[relay_log.Arrival]:
        """Return the mail transactions in the relay's log."""
        return list(relay_log.read(self.log))


@dataclass(kw_only=True)
class ChaosEnvironment(RunningIssue):
    """An issue sent by several processes to a misbehaving relay."""

    postgresql: RestartablePostgresql
    redis: RestartableRedis
    relay: RelayProcess
    workers: Sequence[Process]
    base_url: str

    def arrivals(self) -> list[relay_log.Arrival]:
        """Return the mail transactions in the relay's log."""
        return self.relay.arrivals()

    def taken(self) -> int:
        """Return how many letters the relay has accepted so far."""
        return relay_log.taken(self.relay.log)

    def send(self) -> None:
        """Approve an issue and wake the queue."""
        super().send()
        with connected_wakeups(self.redis.url) as wakeups:
            wakeups.wake(Queue.BULK)

    def workers_with_claims(self, reader: str | None = None) -> list[Process]:
        """Return the workers that hold claimed deliveries; with `reader`, only the one with that reader's delivery."""
        claimed = select(func.count()).select_from(Delivery).where(has_status(DeliveryStatus.CLAIMED))
        claims = claimed.join(Worker, Worker.id == Delivery.carrier_id)
        if reader:
            claims = claims.join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            claims = claims.where(Subscriber.address == reader)
        return [worker for worker in self.workers if self.query(claims.where(Worker.pid == worker.pid))]


@contextmanager
def running_environment(
    folder: Path,
    *,
    audience: int,
    seed: int,
    connections: int = 20,
    options: str = "",
    fake_clock: bool = False,
    time_passes: bool = False,
    with_web: bool = False,
    workers: int = 2,
    worker: Sequence[str] = WORKER,
) -> Iterator[ChaosEnvironment]:
    """Run the service and its servers; the issue is not yet approved. `options` are appended to the relay's URL."""
    with ExitStack() as stack:
        postgresql, redis = RestartablePostgresql(), RestartableRedis()
        stack.callback(postgresql.stop)
        stack.callback(redis.stop)
        migrate(postgresql.url)
        database = stack.enter_context(closing(Database(postgresql.url)))
        readers.insert_newsletter(database, audience, seed=seed)
        relay_process, port = RelayProcess(folder, seed), free_port()
        clock = Clock(folder) if fake_clock else None
        base_url = f"http://127.0.0.1:{port}"
        settings = {
            "NEWSLETTER_DATABASE_URL": postgresql.url,
            "NEWSLETTER_REDIS_URL": redis.url,
            "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{relay_process.port}?connections={connections}{options}",
            "NEWSLETTER_BASE_URL": base_url,
            "NEWSLETTER_SECRET_KEYS": SECRET,
            "NEWSLETTER_DATA_DIR": str(folder),
            **{f"NEWSLETTER_{name}": limit for name, limit in RAISED_LIMITS.items()},
        }
        with_clock = settings | (clock.environment() if clock else {})
        worker_processes = [
            Process(
                f"worker-{number}", [*worker, "--hostname", f"worker-{number}@chaos", "-l", "INFO"], with_clock, folder
            )
            for number in range(1, workers + 1)
        ]
        beat = Process("beat", [*BEAT, "-l", "WARNING"], with_clock if time_passes else settings, folder)
        site = [*WEB, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
        web = Process("web", site, settings, folder)
        stack.enter_context(running(relay_process.process, *worker_processes, beat, *([web] if with_web else [])))
        eventually(lambda: listens(relay_process.port), within=START_TIMEOUT)
        eventually(
            lambda: all("worker started" in worker.output() for worker in worker_processes),
            within=START_TIMEOUT,
            every=POLL_SECONDS,
        )
        eventually(lambda: not with_web or is_ok(f"{base_url}/health/ready"), within=START_TIMEOUT, every=POLL_SECONDS)
        yield ChaosEnvironment(
            folder=folder,
            database=database,
            settings=settings,
            audience=audience,
            chance=random.Random(seed),
            clock=clock,
            time_passes=time_passes,
            postgresql=postgresql,
            redis=redis,
            relay=relay_process,
            workers=worker_processes,
            base_url=base_url,
        )
