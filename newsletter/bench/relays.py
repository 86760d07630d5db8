"""The benchmark's relays: a counting sink or a recording sink, optionally behind a latency proxy."""

import os
import re
import smtplib
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from newsletter.bench.recording_sink import RecordedLetter, recorded_letters
from newsletter.bench.servers import postfix
from newsletter.bench.servers.server import Server, folder_for, free_port, listens

COUNTED = re.compile(rb"mesg=(\d+)")
TAIL_OCTETS = 400  # of a sink's output that contain its newest count


@dataclass(frozen=True)
class BenchRelay:
    """An SMTP server, for the workers and the baselines."""

    host: str
    port: int
    url: str = ""  # of the user's own relay
    counts: Path | None = None  # a sink's output with its counts
    log: Path | None = None  # a recording sink's log
    servers: dict[str, Server] = field(default_factory=dict)  # its processes, by name

    def url_for(self, *, connections: int, rate: float | None = None) -> str:
        """Return the relay's URL for the workers' settings; `rate` in letters a second."""
        options = f"connections={connections}" + (f"&rate={rate:g}" if rate else "")
        return self.url or f"smtp://{self.host}:{self.port}?{options}"

    def count(self) -> int | None:
        """Return how many letters the sink has accepted; None for a user's own relay."""
        if self.counts is None:
            return None
        with self.counts.open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL_OCTETS))
            numbers = COUNTED.findall(output.read())
        return int(numbers[-1]) if numbers else 0

    def letters(self) -> list[RecordedLetter]:
        """Return the recorded letters."""
        return list(recorded_letters(self.log)) if self.log else []

    def round_trip_ms(self) -> float:
        """Return the round-trip time of an SMTP command in milliseconds: the median of nine."""
        with smtplib.SMTP(self.host, self.port, timeout=30) as client:
            seconds = []
            for _ in range(9):
                started = time.perf_counter()
                client.noop()
                seconds.append(time.perf_counter() - started)
        return round(median(seconds) * 1000, 2)


@contextmanager
def counting_sink(home: Path, *, latency: float = 0) -> Iterator[BenchRelay]:
    """Run Postfix's smtp-sink, which prints its count with each letter."""
    with ExitStack() as stack:
        port, counts = free_port(), home / "counts"
        with counts.open("wb") as output:
            server = postfix.sink(port, "-c", folder=folder_for(postfix.USER, where=home), stdout=output.fileno())
        stack.callback(server.stop)
        relay = BenchRelay("127.0.0.1", port, counts=counts, servers={"smtp-sink": server})
        yield stack.enter_context(_delayed(relay, home, latency))


@contextmanager
def recording_sink(home: Path, *, latency: float = 0) -> Iterator[BenchRelay]:
    """Run the recording sink; its log is complete once the block has ended."""
    with ExitStack() as stack:
        port, counts, log = free_port(), home / "recorded", home / "letters"
        words = ["--port", str(port), "--log", str(log)]
        with counts.open("wb") as output:
            server = _module("newsletter.bench.recording_sink", *words, home=home, stdout=output.fileno())
        stack.callback(server.stop)
        server.wait_until(lambda: listens(port))
        relay = BenchRelay("127.0.0.1", port, counts=counts, log=log, servers={"sink": server})
        yield stack.enter_context(_delayed(relay, home, latency))


@contextmanager
def _delayed(relay: BenchRelay, home: Path, latency: float) -> Iterator[BenchRelay]:
    """Put a proxy of this latency (milliseconds) before the relay."""
    if not latency:
        yield relay
        return
    port = free_port()
    words = ["--port", str(port), "--to", str(relay.port), "--latency", str(latency)]
    proxy = _module("newsletter.bench.latency_proxy", *words, home=home)
    try:
        proxy.wait_until(lambda: listens(port))
        servers = {**relay.servers, "wire": proxy}
        yield BenchRelay(relay.host, port, counts=relay.counts, log=relay.log, servers=servers)
    finally:
        proxy.stop()


def _module(name: str, *words: str, home: Path, stdout: int | None = None) -> Server:
    command = [sys.executable, "-m", name, *words]
    return Server(command, folder_for(None, where=home), user=None, environ=os.environ, stdout=stdout)
