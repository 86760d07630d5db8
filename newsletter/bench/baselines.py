"""Yardsticks: what others make of the same letters, at the same relay, over as many connections."""

import resource
import smtplib
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from newsletter.bench.relays import BenchRelay
from newsletter.bench.servers import postfix
from newsletter.errors import NewsletterError

SESSIONS = 20
HEAD = 116  # octets of header that smtp-source puts before its payload
AWHILE = 10.0  # seconds that smtplib is given
SENDER, RECIPIENT = "letters@bench.example", "reader@bench.example"


@dataclass(frozen=True)
class YardstickResult:
    """What a yardstick came to."""

    letters: int
    seconds: float
    cpu: float  # seconds of the processor, of the sender alone

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.letters / self.seconds


def smtp_source(relay: BenchRelay, *, letters: int, octets: int, told: Callable[[int, int], None]) -> YardstickResult:
    """Postfix's load generator, written in C: one conversation after the other in each of twenty connections."""
    words = ["-d", "-s", str(SESSIONS), "-l", str(max(1, octets - HEAD)), "-m", str(letters)]
    words += ["-f", SENDER, "-t", RECIPIENT, f"{relay.host}:{relay.port}"]
    spent, base = _children(), relay.count() or 0
    begun = time.perf_counter()
    with subprocess.Popen([postfix.program("smtp-source"), *words], stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        while True:
            try:
                status = running.wait(0.25)
                break
            except subprocess.TimeoutExpired:
                told((relay.count() or 0) - base, letters)
        seconds = time.perf_counter() - begun
        said = running.stderr.read() if running.stderr else ""
    if status:
        raise NewsletterError(f"smtp-source ended with {status}: {said.strip()}")
    return YardstickResult(letters, seconds, _children() - spent)


def smtplib_threads(relay: BenchRelay, *, connections: int, letter: bytes) -> YardstickResult:
    """Python's own client, a plain dialogue in each of so many threads, for ten seconds."""
    over = Event()

    def talk(_: int) -> int:
        sent = 0
        with smtplib.SMTP(relay.host, relay.port, timeout=60) as client:
            while not over.is_set():
                client.sendmail(SENDER, [RECIPIENT], letter)
                sent += 1
        return sent

    spent, begun = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        running = [threads.submit(talk, number) for number in range(connections)]
        over.wait(AWHILE)
        over.set()
        letters = sum(each.result() for each in running)
    return YardstickResult(letters, time.perf_counter() - begun, time.process_time() - spent)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
