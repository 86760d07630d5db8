"""Fixtures of every test: real databases and servers; connections beyond this machine are blocked."""

import logging
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from tests.servers.server import roomy_folder

pytest_plugins = [
    "tests.garbage",
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
    "tests.servers.openid_provider",
    "tests.servers.certificate",
    "tests.whole_service",
]

# However busy the machine is, `make check` draws the same examples of a test until the test changes, so that a commit
# fails for what it changes; `make fuzz` draws new ones. All examples of a test share its fixtures.
settings.register_profile(
    "same",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.register_profile("new", settings.get_profile("same"), derandomize=False, print_blob=True)
settings.load_profile("same")

MARKS = {
    "postgresql_url": "postgresql",
    "restartable_postgresql": "postgresql",
    "redis_url": "redis",
    "restartable_redis": "redis",
    "smtp_sink": "smtp",
    "chromium": "browser",
    "firefox": "browser",
}


NO_PARAMETERS = SimpleNamespace(params={})
DATABASES = ("sqlite", "postgresql")
# Here a test arranges much for what it asks of functions whose own tests run on both databases each time.
ON_ONE_DATABASE = ("tests/doctor/", "tests/journeys/", "tests/privacy/", "tests/web/", "tests/workers/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that its fixtures need.

    Of a test of those folders that runs on both databases, one is slow: half of them run on either in `make check`.
    """
    collected = {item.nodeid for item in items}
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])
        if item.nodeid.startswith(ON_ONE_DATABASE) and _is_the_other(item, collected):
            item.add_marker("slow")


def _is_the_other(item: pytest.Item, collected: set[str]) -> bool:
    """Whether a test has the database on which only the long run tries it. One without a twin has not."""
    used = getattr(item, "callspec", NO_PARAMETERS).params.values()
    for number, (database, other) in enumerate((DATABASES, DATABASES[::-1])):
        if database in used and item.nodeid.replace(database, other) in collected:
            return crc32(item.nodeid.replace(database, "").encode()) % 2 == number
    return False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number for `-n auto`: more processes than processors, because a long test mostly waits."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure() -> None:
    """Restore SIGINT, and keep the tests' files in memory.

    A background job of a shell ignores SIGINT, as does every process it starts: tests could not interrupt a program.
    An outbox waits twice a letter until the disk has it: over a minute in a run, and nobody needs the files later.
    """
    if folder := roomy_folder():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """Block connections beyond this machine; pytest-socket removes the block after the test."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Restore the logging setup after each test, because another test may count log records."""
    level, handlers = logging.root.level, logging.root.handlers[:]
    yield
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers
