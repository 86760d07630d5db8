"""What is written to Redis: the names of keys and the tasks of messages, as its command MONITOR shows them."""

import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError

WRITES = ("lpush", "rpush", "set", "zadd", "hset", "sadd", "setex")
VARIABLE = re.compile(r"\d+(\.\d+){3}:\d+|\b[0-9a-f]{8}-[0-9a-f-]{27,}|\d+")


class RedisWrite(NamedTuple):
    """A key that was written, and the task where a message for one was put in a queue."""

    at: float  # by the monotonic clock
    key: str
    task: str = ""

    @property
    def name(self) -> str:
        """The key without numbers and addresses, and the task: what two releases have to agree on."""
        pattern = VARIABLE.sub("*", self.key)
        return f"{pattern} <- {self.task}" if self.task else pattern


@dataclass
class RedisMonitor:
    """Reads along from a thread until it is closed."""

    url: str
    writes: list[RedisWrite] = field(default_factory=list)
    reads: bool = False  # from now on nothing is missed

    def __post_init__(self) -> None:
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="redis-monitor", daemon=True)
        self._thread.start()

    def names(self) -> set[str]:
        """Return all names that were written."""
        return self.between(0, math.inf)

    def between(self, start: float, end: float) -> set[str]:
        """Return the names that were written in that time."""
        return {write.name for write in list(self.writes) if start <= write.at < end}

    def close(self) -> None:
        """Read no more. The thread ends with the server's connection."""
        self._closed.set()

    def _read(self) -> None:
        while not self._closed.is_set():
            with suppress(RedisError, OSError, ValueError), Redis.from_url(self.url).monitor() as monitor:
                self.reads = True
                for seen in monitor.listen():
                    self.writes.extend(_writes(seen["command"]))


def _writes(command: str) -> Iterator[RedisWrite]:
    name, _, rest = command.partition(" ")
    if name.strip('"').lower() in WRITES:
        key, _, value = rest.partition(" ")
        yield RedisWrite(time.monotonic(), key.strip('"'), _task(value))


def _task(value: str) -> str:
    found = re.search(r'\\?"task\\?": *\\?"([\w.]+)', value)
    return found[1] if found else ""
