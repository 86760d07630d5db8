"""A real Redis for each test, which the test may freeze or kill."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from redis import Redis

from newsletter.bench.servers import redis
from tests.servers.missing_servers import missing
from tests.servers.run import Run
from tests.servers.server import Server, ServerError, free_port, roomy_folder

running: dict[str, Server] = {}  # the servers that the tests started, by URL


@pytest.fixture
def redis_url(run: Run) -> Iterator[str]:
    """The URL of an empty Redis."""
    if existing := os.environ.get("TEST_REDIS_URL"):
        yield emptied(urlsplit(existing)._replace(path=f"/{run.number}").geturl())
        return
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    running[url] = start(port)
    yield url
    running.pop(url).stop()


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Freeze a Redis during the block: it accepts connections and never answers."""
    process = process_of(url)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def gone(url: str) -> Iterator[None]:
    """Kill a Redis; after the block an empty one replaces it."""
    os.kill(process_of(url), signal.SIGKILL)
    running[url].stop()
    try:
        yield
    finally:
        running[url] = start(urlsplit(url).port or 6379)


def process_of(url: str) -> int:
    """Return the server's process ID; skip the test if TEST_REDIS_URL names the server."""
    if url not in running:
        pytest.skip("a Redis that the tests did not start cannot be frozen or killed")
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def emptied(url: str) -> str:
    """Empty the database and return its URL; each parallel process has its own database number."""
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


def start(port: int) -> Server:
    """Start a Redis that writes nothing to disk."""
    try:
        return redis.start(port, where=roomy_folder())
    except ServerError as error:
        missing("Redis", str(error))
