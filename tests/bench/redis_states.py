"""Measure sign-ups while Redis is healthy, frozen, killed and emptied: `python -m tests.bench.redis_states`.

Web, worker and beat run as in production, on their own PostgreSQL, Redis and smtp-sink. Visitors arrive by the clock
and not when the previous one is served, so a hanging site shows in the measured time. The states take turns; between
two states all letters are sent. The worker is frozen during a measurement: an unreachable Redis would otherwise idle
it and leave more of a small machine to the site. Ratios are taken within one round: the machine's speed varies.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from statistics import median, quantiles
from threading import Event
from urllib.parse import urlencode, urlsplit

import httpx2
from redis import Redis

from newsletter.mail.delivery.deliveries import DeliveryStatus
from tests.chaos.service import Service, running_service
from tests.chaos.signups import hidden_fields
from tests.servers.own_servers import RestartablePostgresql, RestartableRedis
from tests.servers.schema import migrate
from tests.servers.smtp_sink import running_sink
from tests.waiting import eventually

RATE = 300  # sign-ups a second
SECONDS = 3  # in each state
ROUNDS = 3
BROWSERS = 16
SEND_TIMEOUT = 300  # seconds for the letters of one state to be sent


class Visitors:
    """Visitors who sign up, each with another address."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        with httpx2.Client(base_url=base_url, trust_env=False) as browser:
            self._form = hidden_fields(browser)
        self._numbers = count()
        self.served = 0

    def sign_up(self) -> list[float]:
        """Let visitors sign up; return the milliseconds from each one's scheduled moment to the site's response."""
        due: SimpleQueue[float | None] = SimpleQueue()
        start = time.monotonic() + 0.2
        for moment in [*(start + number / RATE for number in range(RATE * SECONDS)), *[None] * BROWSERS]:
            due.put(moment)
        with ThreadPoolExecutor(BROWSERS) as browsers:
            waits = [wait for each in browsers.map(self._sign_up, [due] * BROWSERS) for wait in each]
        self.served += len(waits)
        return waits

    def _sign_up(self, due: "SimpleQueue[float | None]") -> list[float]:
        waits, pause = [], Event()
        with closing(HTTPConnection(self._host)) as connection:
            while (moment := due.get()) is not None:
                pause.wait(max(0, moment - time.monotonic()))
                body = urlencode({**self._form, "email": f"reader{next(self._numbers)}@example.org"})
                connection.request("POST", "/subscribe", body, {"Content-Type": "application/x-www-form-urlencoded"})
                with connection.getresponse() as response:
                    response.read()
                assert response.status == 202, response.status
                waits.append(1000 * (time.monotonic() - moment))
        return waits


@contextmanager
def healthy(_: RestartableRedis) -> Iterator[None]:
    """Leave Redis alone."""
    yield


@contextmanager
def killed(redis: RestartableRedis) -> Iterator[None]:
    """Kill Redis, and start it again after the block."""
    redis.kill()
    yield
    redis.start()


@contextmanager
def emptied(redis: RestartableRedis) -> Iterator[None]:
    """Empty Redis five times a second."""
    stop = Event()

    def empty() -> None:
        with Redis.from_url(redis.url) as client:
            while not stop.wait(0.2):
                client.flushall()

    with ThreadPoolExecutor(1) as thread:
        emptying = thread.submit(empty)
        yield
        stop.set()
    emptying.result()


STATES: dict[str, Callable] = {
    "healthy": healthy,
    "frozen": RestartableRedis.frozen,
    "killed": killed,
    "emptied": emptied,
}


def measure(service: Service, redis: RestartableRedis) -> dict[str, list[tuple[float, float, float]]]:
    """Return by state and round: median and 99th percentile in milliseconds, and seconds until all letters are sent."""
    visitors = Visitors(service.processes.base_url)
    visitors.sign_up()  # warms up connections, caches and query plans
    measured: dict[str, list[tuple[float, float, float]]] = {state: [] for state in STATES}
    for _ in range(ROUNDS):
        for state, meanwhile in STATES.items():
            _wait_until_sent(service, visitors)
            with meanwhile(redis):
                service.processes.worker.freeze()
                percentiles = quantiles(visitors.sign_up(), n=100)
                service.processes.worker.thaw()
            started = time.monotonic()
            _wait_until_sent(service, visitors)
            measured[state].append((percentiles[49], percentiles[98], time.monotonic() - started))
    return measured


def _wait_until_sent(service: Service, visitors: Visitors) -> None:
    eventually(lambda: service.deliveries(DeliveryStatus.SENT) == visitors.served, within=SEND_TIMEOUT, every=0.25)


def main() -> None:
    """Measure, and print a table."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        postgresql, redis = RestartablePostgresql(), RestartableRedis()
        stack.callback(postgresql.stop)
        stack.callback(redis.stop)
        migrate(postgresql.url)
        sink = stack.enter_context(running_sink())
        load = os.getloadavg()[0]
        running = stack.enter_context(running_service(postgresql.url, redis.url, sink, Path(folder), rate=10_000))
        measured = measure(running, redis)
    write = sys.stdout.write
    write(f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, load before {load:.1f}\n")
    write(f"{RATE} sign-ups a second for {SECONDS} s, {ROUNDS} rounds; PostgreSQL in memory with fsync off\n")
    write("Redis       p50 ms   p99 ms  p50 : healthy  p99 : healthy  letters sent after s\n")
    for state, rounds in measured.items():
        p50, p99, sent_after = (median(column) for column in zip(*rounds, strict=True))
        pairs = list(zip(rounds, measured["healthy"], strict=True))
        ratios = [median(disturbed[n] / healthy[n] for disturbed, healthy in pairs) for n in (0, 1)]
        write(f"{state:10}{p50:8.1f} {p99:8.1f} {ratios[0]:14.2f} {ratios[1]:14.2f} {sent_after:21.1f}\n")


def processor() -> str:
    """Return Linux's name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
