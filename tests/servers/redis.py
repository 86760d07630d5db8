"""A real Redis of each test's own, so that a test may also freeze or end it."""

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

running: dict[str, Server] = {}  # the servers that are ours, by their URL


@pytest.fixture
def redis_url(run: Run) -> Iterator[str]:
    """The URL of an empty Redis."""
    if told := os.environ.get("TEST_REDIS_URL"):
        yield emptied(urlsplit(told)._replace(path=f"/{run.number}").geturl())
        return
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    running[url] = start(port)
    yield url
    running.pop(url).stop()


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """A Redis that takes connections and never answers."""
    process = process_of(url)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def gone(url: str) -> Iterator[None]:
    """A Redis that was killed; in the end an empty one comes in its place."""
    os.kill(process_of(url), signal.SIGKILL)
    running[url].stop()
    try:
        yield
    finally:
        running[url] = start(urlsplit(url).port or 6379)


def process_of(url: str) -> int:
    """The server's process; skips the test where it is not ours to end."""
    if url not in running:
        pytest.skip("a Redis that is not ours cannot be frozen or ended")
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def emptied(url: str) -> str:
    """The same URL, once its database is empty; the numbers keep parallel processes apart."""
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


def start(port: int) -> Server:
    """Start a Redis that keeps nothing on disk."""
    try:
        return redis.start(port, where=roomy_folder())
    except ServerError as error:
        missing("Redis", str(error))
