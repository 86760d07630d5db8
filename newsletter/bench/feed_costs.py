"""What refreshing feeds costs: processor time by process, and memory over time."""

import os
import time
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from newsletter.bench import costs
from newsletter.bench.costs import Meter
from newsletter.store.database import Database
from workers.context import Context

SAMPLE_INTERVAL = 3.0  # seconds; the kernel takes milliseconds to add up the memory of one process


class FeedCosts:
    """Measures a block: the worker is this process, its downloads' server and children are its descendants."""

    def __init__(self, built: Context, site_pid: int) -> None:
        self._downloader = built.downloader
        postmaster = _postmaster(built.database)
        roots = {"feed site": site_pid} | ({"postgresql": postmaster} if postmaster else {})
        self._others = Meter(roots, dict)
        self._own = time.process_time()
        self._server = self._download_seconds()
        self._samples: list[dict[str, float]] = []
        self._end = Event()
        self._sampler = Thread(target=self._sample, name="samples", daemon=True)

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own = time.process_time() - self._own
        before, self._server = self._server, self._download_seconds()
        self._server = (self._server[0] - before[0], self._server[1] - before[1])
        self._other_seconds, _ = self._others.read()
        self._end.set()
        self._sampler.join()

    def figures(self, *, feeds: int, seconds: float) -> dict[str, Any]:
        """Return the rate, the milliseconds of processor time for each feed by process, and memory in MB.

        `processor_share` is the part of all processors that these processes used: near 1, the processor is the limit.
        """
        by_process = {
            "worker (with SQLite)" if "postgresql" not in self._other_seconds else "worker": self._own,
            "fork server": self._server[0],
            "downloads": self._server[1],
            **self._other_seconds,
        }
        used = sum(by_process.values())
        return {
            "feeds_per_second": round(feeds / seconds, 1),
            "seconds": round(seconds, 2),
            "cpu_ms_per_feed": {name: round(each * 1000 / feeds, 2) for name, each in by_process.items()},
            "processor_share": round(used / seconds / (os.cpu_count() or 1), 2),
            "memory_mb": {
                name: {"first": self._samples[0].get(name, 0.0), "last": self._samples[-1].get(name, 0.0)}
                | {"peak": max(sample.get(name, 0.0) for sample in self._samples)}
                for name in ("worker", "fork server", "all downloads", "largest download")
            },
        }

    def _download_seconds(self) -> tuple[float, float]:
        """Return the processor time of the fork server, and of all its children."""
        server = self._downloader.server_pid and costs.process(self._downloader.server_pid)
        if not server:
            return 0.0, 0.0
        living = costs.descendants({"": server.pid})[""]
        return server.seconds, server.ended + sum(child.seconds for child in living)

    def _sample(self) -> None:
        while True:
            self._samples.append(self._memory())
            if self._end.wait(SAMPLE_INTERVAL):
                return

    def _memory(self) -> dict[str, float]:
        sample = {"worker": costs.resident_mb(os.getpid())}
        if server := self._downloader.server_pid:
            children = costs.descendants({"": server})[""]
            # A child shares most of its memory with the fork server, so only what is its own counts.
            sizes = [costs.private_mb(child.pid) for child in children]
            sample |= {"fork server": costs.resident_mb(server), "all downloads": round(sum(sizes), 1)}
            sample["largest download"] = max(sizes, default=0.0)
        return sample


def _postmaster(database: Database) -> int | None:
    """Return the process ID of PostgreSQL's parent process; None for SQLite, or a server on another machine."""
    if database.is_sqlite:
        return None
    with database.engine.connect() as connection:
        backends = costs.roles(connection)
    server = next((each for pid in backends if (each := costs.process(pid))), None)
    return server.parent if server and server.title.startswith("postgres") else None
