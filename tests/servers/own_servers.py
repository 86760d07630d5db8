"""Servers of one test's own, which it may end in the middle of everything and start again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from tests.servers import postgresql, redis
from tests.servers.missing_servers import missing
from tests.servers.schema import migrate
from tests.servers.server import Server, ServerError, folder_for, free_port


class RestartableRedis:
    """A Redis that comes back empty."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        self._server = redis.start(self._port)

    def kill(self) -> None:
        """As `kill -9` does."""
        os.kill(self._process(), signal.SIGKILL)
        self._server.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and never answers."""
        process = self._process()
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def _process(self) -> int:
        with Redis.from_url(self.url) as client:
            return int(client.info("server")["process_id"])

    def stop(self) -> None:
        self._server.stop()


class RestartablePostgresql:
    """A PostgreSQL that comes back with what was committed."""

    def __init__(self) -> None:
        self._programs = postgresql.programs()
        self._home = folder_for(postgresql.USER)
        # The data outlives each server, and somebody has to clear it away when the tests are killed.
        self._keeper = Server(["sleep", "infinity"], self._home, user=postgresql.USER)
        self.url = postgresql.url_of(self._home)
        postgresql.initialise(self._programs, self._home)
        self.start()

    def start(self) -> None:
        command = postgresql.command(self._programs, self._home)
        self._server = Server(command, folder_for(postgresql.USER), user=postgresql.USER)
        self._server.wait_until(lambda: postgresql.accepts(self.url))

    def kill(self) -> None:
        """As `pg_ctl stop -m immediate` does: no goodbye to clients, and recovery from the log at the next start."""
        number = (self._home / "data/postmaster.pid").read_text().partition("\n")[0]
        os.kill(int(number), signal.SIGQUIT)
        self._server.stop()

    def stop(self) -> None:
        self._server.stop()
        self._keeper.stop()


@pytest.fixture
def restartable_redis() -> Iterator[RestartableRedis]:
    made = RestartableRedis()
    yield made
    made.stop()


@pytest.fixture
def restartable_postgresql() -> Iterator[RestartablePostgresql]:
    """With the schema of today."""
    try:
        made = RestartablePostgresql()
    except ServerError as error:
        missing("PostgreSQL", str(error))
    migrate(made.url)
    yield made
    made.stop()
