"""How long a sign-up takes while Redis is well, frozen, killed and emptied: `python -m tests.bench.signups`.

Web, worker and beat run as in production, on a PostgreSQL, a Redis and an smtp-sink of their own. Visitors come by the
clock and not when the last one is served, so whoever waits because the site hangs is counted with the wait. The states
take turns; between two all letters leave. The worker is held meanwhile: otherwise a Redis that is away, and so keeps it
idle, would leave the site more of a small machine. What is compared is within one round: machines have their moods.
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
from tests.chaos.service import Service, service
from tests.chaos.signups import hidden_fields
from tests.servers.own_servers import RestartablePostgresql, RestartableRedis
from tests.servers.schema import migrate
from tests.servers.smtp_sink import running_sink
from tests.waiting import eventually

RATE = 300  # sign-ups a second
SECONDS = 3  # in each state
ROUNDS = 3
BROWSERS = 16
PATIENCE = 300  # seconds for the letters of one state to leave


class Visitors:
    """Whoever signs up; no two have the same address."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        with httpx2.Client(base_url=base_url, trust_env=False) as browser:
            self._form = hidden_fields(browser)
        self._numbers = count()
        self.served = 0

    def come(self) -> list[float]:
        """How long each waited for the answer, in milliseconds, from the moment at which it was to come."""
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
                with connection.getresponse() as answer:
                    answer.read()
                assert answer.status == 202, answer.status
                waits.append(1000 * (time.monotonic() - moment))
        return waits


@contextmanager
def well(_: RestartableRedis) -> Iterator[None]:
    yield


@contextmanager
def killed(redis: RestartableRedis) -> Iterator[None]:
    redis.kill()
    yield
    redis.start()


@contextmanager
def emptied(redis: RestartableRedis) -> Iterator[None]:
    """Five times a second."""
    over = Event()

    def empty() -> None:
        with Redis.from_url(redis.url) as client:
            while not over.wait(0.2):
                client.flushall()

    with ThreadPoolExecutor(1) as hand:
        emptying = hand.submit(empty)
        yield
        over.set()
    emptying.result()


STATES: dict[str, Callable] = {"well": well, "frozen": RestartableRedis.frozen, "killed": killed, "emptied": emptied}


def measure(town: Service, redis: RestartableRedis) -> dict[str, list[tuple[float, float, float]]]:
    """By state and round: the median wait, the 99th percentile, and how long the letters took to leave afterwards."""
    visitors = Visitors(town.processes.base_url)
    visitors.come()  # connections, caches and plans
    measured: dict[str, list[tuple[float, float, float]]] = {state: [] for state in STATES}
    for _ in range(ROUNDS):
        for state, meanwhile in STATES.items():
            eventually(lambda: town.deliveries(DeliveryStatus.SENT) == visitors.served, within=PATIENCE, every=0.25)
            with meanwhile(redis):
                town.processes.worker.freeze()
                parts = quantiles(visitors.come(), n=100)
                town.processes.worker.thaw()
            since = time.monotonic()
            eventually(lambda: town.deliveries(DeliveryStatus.SENT) == visitors.served, within=PATIENCE, every=0.25)
            measured[state].append((parts[49], parts[98], time.monotonic() - since))
    return measured


def main() -> None:
    with ExitStack() as last, tempfile.TemporaryDirectory() as folder:
        postgresql, redis = RestartablePostgresql(), RestartableRedis()
        last.callback(postgresql.stop)
        last.callback(redis.stop)
        migrate(postgresql.url)
        sink = last.enter_context(running_sink())
        load = os.getloadavg()[0]
        town = last.enter_context(service(postgresql.url, redis.url, sink, Path(folder), rate=10_000))
        measured = measure(town, redis)
    say = sys.stdout.write
    say(f"{os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, load before {load:.1f}\n")
    say(f"{RATE} sign-ups a second for {SECONDS} s, {ROUNDS} rounds; PostgreSQL in memory with fsync off\n")
    say("Redis       p50 ms   p99 ms   p50 : well   p99 : well   letters gone after s\n")
    for state, rounds in measured.items():
        p50, p99, gone = (median(column) for column in zip(*rounds, strict=True))
        ratios = [median(mine[n] / its[n] for mine, its in zip(rounds, measured["well"], strict=True)) for n in (0, 1)]
        say(f"{state:10}{p50:8.1f} {p99:8.1f} {ratios[0]:12.2f} {ratios[1]:12.2f} {gone:22.1f}\n")


def processor() -> str:
    """What Linux calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
