"""The figures of one page: time to the first byte, statements and size."""

import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPResponse
from statistics import median, quantiles
from typing import Any, NamedTuple

from newsletter.bench.desk.counted_site import HEADER

MAX_MEDIAN_MS, MAX_P99_MS = 50, 200
MAX_BYTES, MAX_SCRIPT_BYTES = 80_000, 40_000  # of a page, and of all its scripts compressed
HUNDRED = 100
FAILED = 500  # and above: the status of a page that failed


class PageAnswer(NamedTuple):
    """One answer."""

    status: int
    ms: float  # to the first byte
    statements: int
    body: bytes


class DeskBrowser:
    """A connection of somebody who has signed in; the site behind it believes that it is reached through a proxy."""

    def __init__(self, port: int, host: str, cookie: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Host": host, "Cookie": cookie, "Accept": "text/html"}

    def get(self, path: str) -> PageAnswer:
        """Ask for a page."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer: HTTPResponse = self._connection.getresponse()
        ms = (time.perf_counter() - began) * 1000
        return PageAnswer(answer.status, ms, int(answer.getheader(HEADER) or 0), answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def measured(browser: DeskBrowser, path: str, *, requests: int) -> dict[str, Any]:
    """Ask for a page that often, after two requests that fill caches."""
    browser.close()  # the site closes a connection that was idle for some seconds; the next request opens another
    for _ in range(2):
        first = browser.get(path)
    answers = [browser.get(path) for _ in range(requests)]
    times = [answer.ms for answer in answers]
    return {
        "path": path,
        "status": first.status,
        "median_ms": round(median(times), 1),
        "p99_ms": round(_p99(times), 1),
        "statements": max(answer.statements for answer in answers),
        "bytes": max(len(answer.body) for answer in answers),
    }


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=HUNDRED, method="inclusive")[-1] if len(times) > 1 else times[0]


def exceeded_limits(page: dict[str, Any]) -> list[str]:
    """Return which limits a page exceeds."""
    limits = (("median_ms", MAX_MEDIAN_MS), ("p99_ms", MAX_P99_MS), ("bytes", MAX_BYTES))
    failed = ["it failed"] if page["status"] >= FAILED else []
    return failed + [f"{name} {page[name]:,} > {limit:,}" for name, limit in limits if page[name] > limit]
