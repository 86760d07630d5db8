"""The benchmark's servers and workers: PostgreSQL, Redis and production's processes; all end with the benchmark."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
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

SERVER_FOLDERS = Path("/var/tmp")  # noqa: S108 - /var/tmp is on disk by the FHS; /tmp may be memory, which is no measure
BASE_URL = "https://letters.bench.example"

# The server of the parent folder: `Server` removes the folder when this script ends, which is after the other servers,
# which may outlive this process, have removed theirs.
WAIT_FOR_SERVERS = """
trap 'stopped=yes' INT TERM
until [ "$stopped" ]; do sleep 0.2; done
for _ in $(seq 300); do [ "$(find . -mindepth 2 | head -n 1)" ] || exit 0; sleep 0.2; done
"""
START_TIMEOUT = 60.0  # seconds for the workers to complete their first job


@dataclass(frozen=True)
class BenchEnvironment:
    """The servers of all runs."""

    home: Path  # parent of the servers' folders
    environ: dict[str, str]  # the service's settings except the relay
    settings: Settings
    database: Database
    servers: dict[str, Server] = field(default_factory=dict)  # started by the benchmark, by name

    @contextmanager
    def running_workers(self, relay: BenchRelay, relay_url: str, *, workers: int) -> Iterator["BenchWorkers"]:
        """Run workers and a beat that send to the relay; raises ServerError if they do not start."""
        environ = _inherited() | self.environ | {f"{PREFIX}SMTP_URL": relay_url}
        processes = {f"worker {n + 1}": ("worker", "-n", f"bench{n + 1}@localhost") for n in range(workers)}
        with ExitStack() as stack:
            running = BenchWorkers(self, relay, {})
            since = clock.now()
            for name, words in (processes | {"beat": ("beat",)}).items():
                command = [sys.executable, "-m", "celery", "-A", "workers", *words, "--loglevel", "warning"]
                running.servers[name] = Server(command, folder_for(None, where=self.home), user=None, environ=environ)
                stack.callback(running.servers[name].stop)
            running.servers["worker 1"].wait_until(
                lambda: running.have_completed_a_job(since=since), within=START_TIMEOUT
            )
            yield running

    def roles(self) -> dict[int, str]:
        """Return the role of each PostgreSQL process, by its ID."""
        with self.database.engine.connect() as connection:
            return costs.roles(connection)

    def vacuum(self) -> None:
        """Vacuum and analyze, as autovacuum would have done if the readers had signed up one by one."""
        with postgresql.administrator(make_url(self.database.url), database=None) as connection:
            connection.execute(text("VACUUM (ANALYZE)"))

    def server_version(self) -> str:
        """Return PostgreSQL's version."""
        with self.database.engine.connect() as connection:
            return str(connection.scalar(text("SHOW server_version")))


@dataclass(frozen=True)
class BenchWorkers:
    """The processes of one run."""

    environment: BenchEnvironment
    relay: BenchRelay
    servers: dict[str, Server]

    def check(self) -> None:
        """Raise ServerError, quoting the last line of its output, if a process has ended."""
        for name, server in self._all_servers().items():
            if not server.is_running:
                raise ServerError(f"The {name} has ended: {server.last_line()}")

    def have_completed_a_job(self, *, since: datetime) -> bool:
        """Return whether a worker has completed a job since then; raises ServerError if a process has ended."""
        self.check()
        with self.environment.database.reading() as session:
            completed = heartbeats.last(session, Queue.UPKEEP)
        return completed is not None and completed > since

    def meter(self, **others: Server) -> Meter:
        """Start to measure the processor time and memory of all processes, and of other servers by name."""
        roots = {name: server.supervisor_pid for name, server in (self._all_servers() | others).items()}
        return Meter(roots, self.environment.roles)

    def _all_servers(self) -> dict[str, Server]:
        return {**self.servers, **self.relay.servers, **self.environment.servers}


@contextmanager
def running(
    where: Path, *, database: str = "", redis_url: str = "", relay: str = "", **values: str
) -> Iterator[BenchEnvironment]:
    """Start the servers that are not given, in folders below `where`; `values` are further settings of the service.

    Raises NewsletterError, before anything is written, if a given server cannot be used or is in use.
    """
    with external.explain_as_options():
        given = {"DATABASE_URL": database, "REDIS_URL": redis_url, "SMTP_URL": relay, "BASE_URL": BASE_URL}
        external.check_unused(_loaded({**given, "SECRET_KEYS": _key()}), program="bench")
    with ExitStack() as stack:
        home = folder_for(None, where=where)
        home.chmod(0o755)  # PostgreSQL and the sink run as other users in folders below it
        stack.callback(Server(["sh", "-c", WAIT_FOR_SERVERS], home, user=None).stop, within=90)
        servers: dict[str, Server] = {}
        if not database:
            servers["postgresql"], database = postgresql.start(home, {})
            stack.callback(servers["postgresql"].stop, within=120)
        if not redis_url:
            port = free_port()
            servers["redis"], redis_url = redis.start(port, where=home), f"redis://127.0.0.1:{port}/0"
            stack.callback(servers["redis"].stop)
        environ = bench_settings(home, DATABASE_URL=database, REDIS_URL=redis_url, **values)
        configuration = settings.load(environ, dotenv=None)
        bring_up_to_date(configuration, actor=audit_log.system_user(), now=clock.now())
        with closing(Database(configuration.database)) as opened:
            yield BenchEnvironment(home, environ, configuration, opened, servers)


def _loaded(values: Mapping[str, str]) -> Settings:
    return settings.load({PREFIX + name: value for name, value in values.items()}, dotenv=None)


def _key() -> str:
    return f"{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}"


def bench_settings(home: Path, **values: str) -> dict[str, str]:
    """Return the environment of a service whose files lie in the folder, with these further settings.

    The limits of confirmation letters are raised, because the visitors of a benchmark share one domain.
    """
    limits = {f"CONFIRMATIONS_PER_{part}": "1000000" for part in ("HOST", "NETWORK", "DOMAIN", "HOUR")}
    settings = {"BASE_URL": BASE_URL, "DATA_DIR": str(home), "SECRET_KEYS": _key(), **limits, **values}
    return {PREFIX + name: value for name, value in settings.items()}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
