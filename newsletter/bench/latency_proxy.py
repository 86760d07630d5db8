"""A long wire: a TCP proxy on this machine that holds everything back for a while, each way, and loses no byte.

`python -m newsletter.bench.latency_proxy --port 2526 --to 2525 --latency 50` makes each round trip 50 ms longer. The
bandwidth is not limited, and the order is kept.
"""

import argparse
import asyncio
from collections import deque
from functools import partial
from typing import cast

import uvloop

HOST = "127.0.0.1"
GRAIN = 0.0005  # seconds: what is due so soon passes now, for the loop's clock goes by milliseconds


class Direction:
    """One direction: what comes in leaves after the delay, in order; None is the end."""

    def __init__(self, delay: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._out: asyncio.Transport | None = None

    def lead_to(self, out: asyncio.Transport) -> None:
        """Name the end of the way, once it is known; what has waited longer than the delay leaves at once."""
        self._out = out
        self._go()

    def take(self, data: bytes | None) -> None:
        """Hold it back."""
        self._waiting.append((self._loop.time() + self._delay, data))
        if len(self._waiting) == 1:
            self._loop.call_later(self._delay, self._go)

    def _go(self) -> None:
        if self._out is None:
            return
        until, due = self._loop.time() + GRAIN, []
        while self._waiting and self._waiting[0][0] <= until:
            due.append(self._waiting.popleft()[1])
        if data := b"".join(each for each in due if each):
            self._out.write(data)
        if None in due:
            self._out.close()
        elif self._waiting:
            self._loop.call_at(self._waiting[0][0], self._go)


class End(asyncio.Protocol):
    """One end of the wire: what is said to it goes on the way there; its own end is where the way back leads."""

    def __init__(self, there: Direction, back: Direction) -> None:
        self._there = there
        self._back = back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to hear from the other end."""
        self._back.lead_to(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Send it on its way."""
        self._there.take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the other end, in its turn."""
        self._there.take(None)


class Near(End):
    """Where clients call: each call goes on to the far end."""

    calls: "set[asyncio.Task[None]]" = set()  # noqa: RUF012 - tasks that nobody holds are thrown away

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(Direction(delay), Direction(delay))
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Call the far end."""
        super().connection_made(transport)
        call = asyncio.get_running_loop().create_task(self._call())
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)

    async def _call(self) -> None:
        try:
            far = partial(End, self._back, self._there)
            await asyncio.get_running_loop().create_connection(far, HOST, self._port)
        except OSError:
            self._back.take(None)


async def serve(port: int, *, to: int, latency: float) -> None:
    """Lead this port of 127.0.0.1 to that one, for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(latency / 2000, to), HOST, port, backlog=1000)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve as the command line says."""
    words = argparse.ArgumentParser(description="A TCP proxy that holds everything back")
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--to", type=int, required=True)
    words.add_argument("--latency", type=float, required=True, help="milliseconds of a round trip")
    given = words.parse_args()
    uvloop.run(serve(given.port, to=given.to, latency=given.latency))


if __name__ == "__main__":
    main()
