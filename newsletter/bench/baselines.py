"""Baselines: smtp-source and smtplib send the same letters to the same relay over the same number of connections."""

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
HEADER_OCTETS = 116  # that smtp-source puts before its payload
SMTPLIB_SECONDS = 10.0  # that smtplib sends for
SENDER, RECIPIENT = "letters@bench.example", "reader@bench.example"


@dataclass(frozen=True)
class BaselineResult:
    """The result of one baseline."""

    letters: int
    seconds: float
    cpu: float  # processor seconds of the sender alone

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.letters / self.seconds


def smtp_source(
    relay: BenchRelay, *, letters: int, octets: int, show_progress: Callable[[int, int], None]
) -> BaselineResult:
    """Send with Postfix's load generator, written in C: one letter after the other in each of twenty connections.

    Raises NewsletterError if it fails.
    """
    words = ["-d", "-s", str(SESSIONS), "-l", str(max(1, octets - HEADER_OCTETS)), "-m", str(letters)]
    words += ["-f", SENDER, "-t", RECIPIENT, f"{relay.host}:{relay.port}"]
    cpu_before, count_before = _children_cpu(), relay.count() or 0
    started = time.perf_counter()
    with subprocess.Popen([postfix.program("smtp-source"), *words], stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        while True:
            try:
                status = running.wait(0.25)
                break
            except subprocess.TimeoutExpired:
                show_progress((relay.count() or 0) - count_before, letters)
        seconds = time.perf_counter() - started
        errors = running.stderr.read() if running.stderr else ""
    if status:
        raise NewsletterError(f"smtp-source ended with status {status}: {errors.strip()}")
    return BaselineResult(letters, seconds, _children_cpu() - cpu_before)


def smtplib_threads(relay: BenchRelay, *, connections: int, letter: bytes) -> BaselineResult:
    """Send for ten seconds with Python's smtplib, one connection in each thread."""
    stop = Event()
    cpu_before, started = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        running = [threads.submit(_send_until, stop, relay, letter) for _ in range(connections)]
        stop.wait(SMTPLIB_SECONDS)
        stop.set()
        letters = sum(each.result() for each in running)
    return BaselineResult(letters, time.perf_counter() - started, time.process_time() - cpu_before)


def _send_until(stop: Event, relay: BenchRelay, letter: bytes) -> int:
    """Send the letter again and again; return how often."""
    sent = 0
    with smtplib.SMTP(relay.host, relay.port, timeout=60) as client:
        while not stop.is_set():
            client.sendmail(SENDER, [RECIPIENT], letter)
            sent += 1
    return sent


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
