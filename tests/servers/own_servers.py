"""Servers of one test, which it may kill, freeze and start again."""

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
    """A Redis that is empty after a restart."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        self._server = redis.start(self._port)

    def kill(self) -> None:
        """Send it SIGKILL."""
        os.kill(self._process(), signal.SIGKILL)
        self._server.stop()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it during the block: it accepts connections and never answers."""
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
        """End it for good."""
        self._server.stop()


class RestartablePostgresql:
    """A PostgreSQL that keeps committed data over a restart."""

    def __init__(self) -> None:
        self._programs = postgresql.programs()
        self._home = folder_for(postgresql.USER)
        # The data outlives each server; this process removes it, also when the tests are killed.
        self._folder_owner = Server(["sleep", "infinity"], self._home, user=postgresql.USER)
        self.url = postgresql.url_of(self._home)
        postgresql.initialize(self._programs, self._home)
        self.start()

    def start(self) -> None:
        """Start it, for the first time or again."""
        command = postgresql.command(self._programs, self._home)
        self._server = Server(command, folder_for(postgresql.USER), user=postgresql.USER)
        self._server.wait_until(lambda: postgresql.accepts(self.url))

    def kill(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does: clients are cut off, and the next start recovers from the WAL."""
        number = (self._home / "data/postmaster.pid").read_text().partition("\n")[0]
        os.kill(int(number), signal.SIGQUIT)
        self._server.stop()

    def stop(self) -> None:
        """End it and remove its data."""
        self._server.stop()
        self._folder_owner.stop()


@pytest.fixture
def restartable_redis() -> Iterator[RestartableRedis]:
    """A Redis of the test's own that it may kill and start again."""
    server = RestartableRedis()
    yield server
    server.stop()


@pytest.fixture
def restartable_postgresql() -> Iterator[RestartablePostgresql]:
    """A migrated PostgreSQL of the test's own that it may kill and start again."""
    try:
        server = RestartablePostgresql()
    except ServerError as error:
        missing("PostgreSQL", str(error))
    migrate(server.url)
    yield server
    server.stop()
