"""Two releases on one PostgreSQL, one Redis and one relay."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.leases import Worker
from newsletter.store.database import Database
from tests.chaos import relay_log
from tests.chaos.environment import RelayProcess
from tests.chaos.relay_log import TAKEN, Arrival
from tests.chaos.running_issue import POLL_SECONDS, SECRET, START_TIMEOUT, RunningIssue
from tests.processes import RAISED_LIMITS, Process, is_ok, running
from tests.servers.own_servers import RestartablePostgresql, RestartableRedis
from tests.servers.server import listens
from tests.upgrade.letters import Letters
from tests.upgrade.redis_monitor import RedisMonitor
from tests.upgrade.release import Release, ReleaseProcesses
from tests.waiting import eventually

CONNECTIONS = 10  # of all workers together to the relay
RATE = 60  # letters a second of all workers together
DELAY = 0.05  # seconds until the relay answers a letter, so that a worker is killed with letters under way


@dataclass(kw_only=True)
class MixedService(RunningIssue):
    """The servers that both releases share, the letters that arrived, and questions to the database."""

    before: ReleaseProcesses
    after: ReleaseProcesses
    redis: Redis
    relay: RelayProcess
    letters: Letters
    monitor: RedisMonitor
    taken_before: int = 0  # letters, when the issue was approved

    def approve(self, issue: int, release: ReleaseProcesses) -> None:
        """Let the release's command approve this issue, which all questions are about from now on."""
        self.issue = issue
        self.taken_before += self.taken()
        self.begun = time.monotonic()
        release.command("issues", "send", str(issue))

    def is_paused(self) -> bool:
        """Return whether the issue is paused."""
        return self.query(select(Issue.status).where(Issue.id == self.issue)) is IssueStatus.PAUSED

    def arrivals(self) -> list[Arrival]:
        """Return the letters of this issue."""
        return [one for one in self.relay.arrivals() if one.mail_at >= self.begun]

    def taken(self) -> int:
        """Return how many letters the relay has taken since the issue was approved."""
        return relay_log.taken(self.relay.log) - self.taken_before

    def letter_to(self, address: str) -> Arrival:
        """Return the newest letter to this address, once there is one."""

        def newest() -> list[Arrival]:
            return [one for one in self.relay.arrivals() if one.to == address and one.outcome == TAKEN][-1:]

        return eventually(newest, within=START_TIMEOUT, every=POLL_SECONDS)[0]

    def claims(self, worker: Process) -> int:
        """Return how many letters a running worker has claimed."""
        return self.claims_of(worker.pid)

    def claims_of(self, pid: int) -> int:
        """Return how many letters are claimed by the worker that had this process ID."""
        claimed = select(func.count()).select_from(Delivery).where(Delivery.status == DeliveryStatus.CLAIMED)
        number: int = self.query(claimed.join(Worker, Worker.id == Delivery.carrier_id).where(Worker.pid == pid))
        return number

    def standing(self, address: str) -> Standing:
        """Return whether this address is subscribed."""
        row = select(Subscription.standing).join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        found: Standing = self.query(row.where(Subscriber.address == address))
        return found

    def keys(self, kind: str) -> list[str]:
        """Return the names of the keys of the workers' shared state in Redis."""
        found: Any = self.redis.keys(f"newsletter:{kind}:*")
        return sorted(key.decode() for key in found)


@contextmanager
def mixed_service(
    before: Release, after: Release, folder: Path, *, readers: int, seed: int, rate: float = RATE
) -> Iterator[MixedService]:
    """Servers, the schema and the readers of the release before; its processes are not yet started."""
    with ExitStack() as last:
        postgresql, redis = RestartablePostgresql(), RestartableRedis()
        last.callback(postgresql.stop)
        last.callback(redis.stop)
        kept = folder / "letters"
        kept.mkdir()
        relay = RelayProcess(folder, seed, letters=kept)
        settings = {
            "NEWSLETTER_DATABASE_URL": postgresql.url,
            "NEWSLETTER_REDIS_URL": redis.url,
            "NEWSLETTER_SMTP_URL": f"smtp://127.0.0.1:{relay.port}?rate={rate:g}&connections={CONNECTIONS}",
            "NEWSLETTER_BASE_URL": "http://127.0.0.1:8000",  # what a proxy before both sites would be called
            "NEWSLETTER_SECRET_KEYS": SECRET,
            "NEWSLETTER_DATA_DIR": str(folder),
        }
        # A release refuses to start with a setting that it does not know.
        raised = {f"NEWSLETTER_{name}": limit for name, limit in RAISED_LIMITS.items()}
        old, new = ReleaseProcesses(before, settings, folder), ReleaseProcesses(after, settings | raised, folder)
        old.command("migrate")
        before.seed(postgresql.url, readers=readers, seed=seed, folder=folder)
        monitor = RedisMonitor(redis.url)
        last.callback(monitor.close)
        last.enter_context(running(relay.process))
        eventually(lambda: listens(relay.port), within=START_TIMEOUT)
        relay.misbehave(delay=DELAY)
        yield MixedService(
            folder=folder,
            database=last.enter_context(closing(Database(postgresql.url))),
            settings=settings,
            audience=readers,
            chance=random.Random(seed),
            before=old,
            after=new,
            redis=last.enter_context(closing(Redis.from_url(redis.url))),
            relay=relay,
            letters=Letters(kept),
            monitor=monitor,
        )


def wait_until_ready(release: ReleaseProcesses) -> None:
    """Return when the site answers and the worker listens to its queues."""
    eventually(lambda: is_ok(f"{release.base_url}/health/ready"), within=START_TIMEOUT, every=POLL_SECONDS)
    eventually(lambda: "worker started" in release.worker.output(), within=START_TIMEOUT, every=POLL_SECONDS)
