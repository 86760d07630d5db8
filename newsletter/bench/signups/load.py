"""A load generator for sign-ups, in a process of its own so that its processor time can be told apart.

Visitors arrive by the clock, whether or not those before them have been answered (an open loop), and their time runs
from the moment at which they were due: a site that stalls shows it. Without a rate, each connection sends its next
request when the last one is answered (a closed loop), which finds the most answers a second.

Run it as `python -m newsletter.bench.signups.load`; it reads its orders, JSON, from standard input, and ends when they
are done, or at SIGTERM. It prints a line of JSON, and logs one line for each visitor.
"""

import asyncio
import json
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

from newsletter.bench.signups.visitors import SignupVisitors

MAX_CONNECTIONS = 2_000  # of an open loop; a visitor who comes when all are busy waits
PATIENCE = 60.0  # seconds that the last visitors' answers are waited for


@dataclass(frozen=True)
class LoadOrders:
    """What one run of the generator does."""

    port: int  # of 127.0.0.1
    visitors: SignupVisitors
    log: str  # file
    number: int  # visitors at most
    rate: float = 0.0  # visitors a second; 0 is a closed loop
    seconds: float = 0.0  # of a closed loop at most; 0 means until all visitors are answered
    connections: int = 64  # opened at the start; a proxy, too, keeps some open


class AnsweredVisitor(NamedTuple):
    """One visitor's answer. The times are of the monotonic clock, which all processes of a machine share."""

    number: int
    due_at: float
    answered_at: float
    status: int  # 0: the connection was closed without an answer


class LoadResult(NamedTuple):
    """What a run of the generator measured of itself."""

    sent: int
    late_ms: float  # the longest time between a visitor's moment and the sending of the request
    cpu: float  # processor seconds of the generator


class _Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, load: "SignupLoadGenerator") -> None:
        self._load = load
        self._received = b""
        self._visitor: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, number: int, due_at: float, request: bytes) -> None:
        self._visitor = number, due_at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _content_length(head):
            self._received = b""
            self._end(int(head[9:12]))
            self._load.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost(self)
        self._end(0)

    def _end(self, status: int) -> None:
        if self._visitor:
            number, due_at = self._visitor
            self._visitor = None
            self._load.answered(AnsweredVisitor(number, due_at, time.monotonic(), status))


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)


class SignupLoadGenerator:
    """Sends the requests of one run and collects the answers."""

    def __init__(self, orders: LoadOrders) -> None:
        self._orders = orders
        self._requests = enumerate(orders.visitors.requests(f"127.0.0.1:{orders.port}"))
        self._answers: list[AnsweredVisitor] = []
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[tuple[int, float, bytes]] = deque()
        self._connections = 0
        self._sent = 0
        self._late = 0.0
        self._until = float("inf")
        self._stopped = False

    async def run(self) -> LoadResult:
        """Send all requests, wait for their answers, and return the generator's own figures."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        for _ in range(self._orders.connections):
            self._idle.append(await self._connect())
        await (self._open_loop() if self._orders.rate else self._closed_loop())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return LoadResult(self._sent, round(self._late * 1000, 1), round(used.ru_utime + used.ru_stime, 3))

    def write_log(self) -> None:
        """Write one line for each answer."""
        Path(self._orders.log).write_text("".join(map(_line, self._answers)), encoding="ascii")

    async def _connect(self) -> _Connection:
        self._connections += 1
        loop, port = asyncio.get_running_loop(), self._orders.port
        _, protocol = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
        return protocol

    def _stop(self) -> None:
        self._stopped = True

    async def _open_loop(self) -> None:
        begin = time.monotonic() + 0.1
        while not self._stopped and self._sent + len(self._waiting) < self._orders.number:
            number, request = next(self._requests)
            due_at = begin + number / self._orders.rate
            await asyncio.sleep(due_at - time.monotonic())
            self._waiting.append((number, due_at, request))
            if not self._idle and self._connections < MAX_CONNECTIONS:
                self._idle.append(await self._connect())
            self._send_waiting()
        await self._wait_for_answers(PATIENCE)

    async def _closed_loop(self) -> None:
        begin = time.monotonic()
        self._until = begin + self._orders.seconds if self._orders.seconds else self._until
        while self._idle and self._send_next():
            pass
        await self._wait_for_answers(self._orders.seconds + PATIENCE if self._orders.seconds else 3600)

    def _send_next(self) -> bool:
        """Send the next visitor's request in a closed loop; return False if the run is over."""
        now = time.monotonic()
        if self._stopped or self._sent >= self._orders.number or now >= self._until:
            return False
        number, request = next(self._requests)
        self._waiting.append((number, now, request))
        self._send_waiting()
        return True

    def _send_waiting(self) -> None:
        while self._idle and self._waiting:
            number, due_at, request = self._waiting.popleft()
            self._late = max(self._late, time.monotonic() - due_at)
            self._sent += 1
            self._idle.popleft().send(number, due_at, request)  # the one that has been idle for longest

    async def _wait_for_answers(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        # An event for each answer would cost more than looking.
        while len(self._answers) < self._sent + len(self._waiting) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def free(self, connection: _Connection) -> None:
        """Use an answered connection for the next request."""
        self._idle.append(connection)
        self._send_waiting()
        if not self._orders.rate:
            self._send_next()

    def lost(self, connection: _Connection) -> None:
        """Forget a closed connection."""
        self._connections -= 1
        if connection in self._idle:
            self._idle.remove(connection)

    def answered(self, visitor: AnsweredVisitor) -> None:
        """Keep a visitor's answer."""
        self._answers.append(visitor)


def _line(visitor: AnsweredVisitor) -> str:
    return f"{visitor.number}\t{visitor.due_at:.6f}\t{visitor.answered_at:.6f}\t{visitor.status}\n"


def answered_visitors(log: Path) -> Iterator[AnsweredVisitor]:
    """Return the visitors of a generator's log, in the order of their answers."""
    lines: Iterable[str] = log.read_text(encoding="ascii").splitlines()
    for line in lines:
        number, due_at, answered_at, status = line.split("\t")
        yield AnsweredVisitor(int(number), float(due_at), float(answered_at), int(status))


def to_json(orders: LoadOrders) -> str:
    """Return orders as the generator reads them."""
    return json.dumps(asdict(orders))


def main() -> None:
    """Run the orders from standard input."""
    words = json.load(sys.stdin)
    orders = LoadOrders(**{**words, "visitors": SignupVisitors(**words["visitors"])})

    generator = SignupLoadGenerator(orders)
    result = uvloop.run(generator.run())
    generator.write_log()
    sys.stdout.write(json.dumps(result._asdict()) + "\n")


if __name__ == "__main__":
    main()
