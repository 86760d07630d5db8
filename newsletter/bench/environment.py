"""What the benchmark runs on: a database, a Redis, and the processes of production, all ended whatever happens."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url, text

from newsletter import audit_log, clock, settings
from newsletter.bench import costs
from newsletter.bench.costs import Meter
from newsletter.bench.relays import BenchRelay
from newsletter.bench.servers import external, postgresql, redis
from newsletter.bench.servers.server import Server, ServerError, folder_for, free_port
from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from newsletter.settings import PREFIX, Settings
from newsletter.store.database import Database
from newsletter.upgrade import bring_up_to_date

WHERE = Path("/var/tmp")  # noqa: S108 - on disk by the FHS, where /tmp may be memory: what PostgreSQL writes has to be real
BASE_URL = "https://letters.bench.example"

# It keeps our folder, and clears it away when we are gone and the servers, which may end after us, have emptied theirs.
CLEARS = """
trap 'over=yes' INT TERM
until [ "$over" ]; do sleep 0.2; done
for _ in $(seq 300); do [ "$(find . -mindepth 2 | head -n 1)" ] || exit 0; sleep 0.2; done
"""
READY = 60.0  # seconds for workers to answer their first bell


@dataclass(frozen=True)
class BenchEnvironment:
    """The servers, for all of the benchmark's runs."""

    home: Path  # where the servers' folders are
    environ: dict[str, str]  # the service's settings but for the relay
    settings: Settings
    database: Database
    servers: dict[str, Server] = field(default_factory=dict)  # ours, by name

    @contextmanager
    def staffed(self, relay: BenchRelay, relay_url: str, *, workers: int) -> Iterator["BenchWorkers"]:
        """Workers and a beat who carry to that relay; at work, and ended on leaving."""
        environ = _inherited() | self.environ | {f"{PREFIX}SMTP_URL": relay_url}
        hired = {f"worker {number + 1}": ("worker", "-n", f"bench{number + 1}@localhost") for number in range(workers)}
        with ExitStack() as last:
            staff = BenchWorkers(self, relay, {})
            since = clock.now()
            for name, words in (hired | {"beat": ("beat",)}).items():
                command = [sys.executable, "-m", "celery", "-A", "workers", *words, "--loglevel", "warning"]
                staff.servers[name] = Server(command, folder_for(None, where=self.home), user=None, environ=environ)
                last.callback(staff.servers[name].stop)

            def is_at_work() -> bool:
                staff.check()
                with self.database.reading() as session:
                    answered = heartbeats.last(session, Queue.UPKEEP)
                return answered is not None and answered > since

            staff.servers["worker 1"].wait_until(is_at_work, within=READY)
            yield staff

    def roles(self) -> dict[int, str]:
        """Whose PostgreSQL's processes are."""
        with self.database.engine.connect() as connection:
            return costs.roles(connection)

    def vacuum(self) -> None:
        """What PostgreSQL's autovacuum would have done by itself, had the readers come one by one."""
        with postgresql.administrator(make_url(self.database.url), database=None) as connection:
            connection.execute(text("VACUUM (ANALYZE)"))

    def server_version(self) -> str:
        """PostgreSQL's."""
        with self.database.engine.connect() as connection:
            return str(connection.scalar(text("SHOW server_version")))


@dataclass(frozen=True)
class BenchWorkers:
    """The processes of one run."""

    town: BenchEnvironment
    relay: BenchRelay
    servers: dict[str, Server]

    def check(self) -> None:
        """Raise ServerError, with its last words, where one has ended."""
        for name, server in {**self.servers, **self.relay.servers, **self.town.servers}.items():
            if not server.runs:
                raise ServerError(f"The {name} has ended: {server.last_words()}")

    def meter(self) -> Meter:
        """What all of it costs from now on."""
        every = {**self.servers, **self.relay.servers, **self.town.servers}
        return Meter({name: server.keeper for name, server in every.items()}, self.town.roles)


@contextmanager
def built(where: Path, *, database: str = "", redis_url: str = "", relay: str = "") -> Iterator[BenchEnvironment]:
    """The servers that are not given, in folders below that one.

    Raises NewsletterError, before anything is written, where one that is given cannot be used or is somebody's.
    """
    with external.explain_as_options():
        given = {"DATABASE_URL": database, "REDIS_URL": redis_url, "SMTP_URL": relay, "BASE_URL": BASE_URL}
        external.asked(_loaded({**given, "SECRET_KEYS": _key()}), show="bench")
    with ExitStack() as last:
        home = folder_for(None, where=where)
        home.chmod(0o755)  # PostgreSQL and the sink run as other users, in folders of theirs below
        last.callback(Server(["sh", "-c", CLEARS], home, user=None).stop, within=90)
        servers: dict[str, Server] = {}
        if not database:
            servers["postgresql"], database = postgresql.start(home, {})
            last.callback(servers["postgresql"].stop, within=120)
        if not redis_url:
            port = free_port()
            servers["redis"], redis_url = redis.start(port, where=home), f"redis://127.0.0.1:{port}/0"
            last.callback(servers["redis"].stop)
        environ = _environ(home, database, redis_url)
        found = settings.load(environ, dotenv=None)
        bring_up_to_date(found, actor=audit_log.system_user(), now=clock.now())
        with closing(Database(found.database)) as opened:
            yield BenchEnvironment(home, environ, found, opened, servers)


def _loaded(values: Mapping[str, str]) -> Settings:
    return settings.load({PREFIX + name: value for name, value in values.items()}, dotenv=None)


def _key() -> str:
    return f"{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}"


def _environ(home: Path, database: str, redis_url: str) -> dict[str, str]:
    values = {
        "BASE_URL": BASE_URL,
        "DATA_DIR": str(home),
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "SECRET_KEYS": _key(),
    }
    return {PREFIX + name: value for name, value in values.items()}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
