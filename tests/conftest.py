"""What every test can ask for: real databases, real servers, closed doors to the rest of the world."""

import gc
import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from pytest_socket import socket_allow_hosts

from newsletter.store.database import Begin, Database

pytest_plugins = [
    "tests.servers.run",
    "tests.servers.forks",
    "tests.servers.missing_servers",
    "tests.servers.sqlite",
    "tests.servers.postgresql",
    "tests.servers.databases",
    "tests.servers.redis",
    "tests.servers.own_servers",
    "tests.servers.smtp_sink",
    "tests.servers.dns_server",
    "tests.servers.certificate",
    "tests.servers.chromium",
    "tests.whole_service",
]

settings.register_profile("patient", settings(), deadline=None)  # a machine may be busy
settings.load_profile("patient")

MARKS = {
    "postgresql_url": "postgresql",
    "mortal_postgresql": "postgresql",
    "redis_url": "redis",
    "mortal_redis": "redis",
    "smtp_sink": "smtp",
    "chromium": "browser",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a server carries its mark."""
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` is: more processes than processors, because a long test mostly waits for others."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure() -> None:
    """Import and collect without the garbage collector, and let tests be interrupted wherever they run.

    A shell that starts a job in the background has it ignore SIGINT, and so all that it starts: `kill -INT` would do
    nothing to the programs that tests interrupt.
    """
    gc.disable()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking again and again through what was imported and collected: it stays."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup() -> None:
    """No test reaches beyond this machine; pytest-socket opens the doors again afterwards."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """How a test has set up logging ends with it: another may count what is logged."""
    level, handlers = logging.root.level, logging.root.handlers[:]
    yield
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """A database of the test's own, empty and migrated; each behaviour is tested on SQLite and on PostgreSQL."""
    made: Database = request.getfixturevalue(f"{request.param}_database")
    return made


@pytest.fixture
def begin(database: Database) -> Begin:
    return database.writing


@pytest.fixture
def reading(database: Database) -> Begin:
    return database.reading
