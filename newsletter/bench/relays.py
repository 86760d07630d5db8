"""Where the letters go: a sink that counts, one that remembers, or a long wire before either."""

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

from newsletter.bench.recording_sink import Noted, noted
from newsletter.bench.servers import postfix
from newsletter.bench.servers.server import Server, folder_for, free_port, listens

COUNTED = re.compile(rb"mesg=(\d+)")
TAIL = 400  # octets of what a sink said in which its newest count stands


@dataclass(frozen=True)
class BenchRelay:
    """An SMTP server, as the worker and the yardsticks see it."""

    host: str
    port: int
    options: str = ""  # of its URL
    url: str = ""  # of one that was given
    counts: Path | None = None  # where a sink of ours prints its count
    notes: Path | None = None  # where it notes each letter
    servers: dict[str, Server] = field(default_factory=dict)  # ours, by name

    def url_for(self, *, connections: int, rate: float | None = None) -> str:
        """What the workers' settings say of it."""
        options = f"connections={connections}" + (f"&rate={rate:g}" if rate else "")
        return self.url or f"smtp://{self.host}:{self.port}?{options}"

    def count(self) -> int | None:
        """How many letters it has taken, by its own count; None where that cannot be known."""
        if self.counts is None:
            return None
        with self.counts.open("rb") as said:
            said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL))
            numbers = COUNTED.findall(said.read())
        return int(numbers[-1]) if numbers else 0

    def letters(self) -> list[Noted]:
        """What it noted."""
        return list(noted(self.notes)) if self.notes else []

    def round_trip_ms(self) -> float:
        """How long a word and its answer take, in milliseconds: the median of nine."""
        with smtplib.SMTP(self.host, self.port, timeout=30) as client:
            taken = []
            for _ in range(9):
                begun = time.perf_counter()
                client.noop()
                taken.append(time.perf_counter() - begun)
        return round(median(taken) * 1000, 2)


@contextmanager
def counting(home: Path, *, latency: float = 0) -> Iterator[BenchRelay]:
    """Postfix's smtp-sink, which prints its count with each letter."""
    with ExitStack() as last:
        port, counts = free_port(), home / "counts"
        with counts.open("wb") as said:
            server = postfix.sink(port, "-c", folder=folder_for(postfix.USER, where=home), says=said.fileno())
        last.callback(server.stop)
        yield last.enter_context(
            _at(BenchRelay("127.0.0.1", port, counts=counts, servers={"smtp-sink": server}), home, latency)
        )


@contextmanager
def remembering(home: Path, *, latency: float = 0) -> Iterator[BenchRelay]:
    """Our own sink, which notes each letter. Its notes are whole once the block is left."""
    with ExitStack() as last:
        port, counts, notes = free_port(), home / "noted", home / "notes"
        words = ["--port", str(port), "--notes", str(notes)]
        with counts.open("wb") as said:
            server = module("sink", *words, home=home, says=said.fileno())
        last.callback(server.stop)
        server.wait_until(lambda: listens(port))
        relay = BenchRelay("127.0.0.1", port, counts=counts, notes=notes, servers={"sink": server})
        yield last.enter_context(_at(relay, home, latency))


@contextmanager
def _at(relay: BenchRelay, home: Path, latency: float) -> Iterator[BenchRelay]:
    """The same relay, so many milliseconds away."""
    if not latency:
        yield relay
        return
    port = free_port()
    words = ["--port", str(port), "--to", str(relay.port), "--latency", str(latency)]
    wire = module("wire", *words, home=home)
    try:
        wire.wait_until(lambda: listens(port))
        servers = {**relay.servers, "wire": wire}
        yield BenchRelay(relay.host, port, counts=relay.counts, notes=relay.notes, servers=servers)
    finally:
        wire.stop()


def module(name: str, *words: str, home: Path, says: int | None = None) -> Server:
    """One of the benchmark's own programs, as a process."""
    command = [sys.executable, "-m", f"newsletter.bench.{name}", *words]
    return Server(command, folder_for(None, where=home), user=None, environ=os.environ, says=says)
