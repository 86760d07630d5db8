"""A TCP proxy on this machine that delays each direction by half of a round-trip time.

`python -m newsletter.bench.latency_proxy --port 2526 --to 2525 --latency 50` adds 50 ms to each round trip. It does not
limit the bandwidth, keeps the order, and loses no byte.
"""

import argparse
import asyncio
from collections import deque
from functools import partial
from typing import cast

import uvloop

HOST = "127.0.0.1"
TOLERANCE = 0.0005  # seconds: pass on data that is due so soon, because the loop's clock has a resolution of 1 ms


class DelayedStream:
    """One direction of a connection: passes data on after the delay, in order; None ends it."""

    def __init__(self, delay: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._target: asyncio.Transport | None = None

    def connect(self, target: asyncio.Transport) -> None:
        """Set the receiving end; data that has waited longer than the delay is passed on at once."""
        self._target = target
        self._pass_on()

    def send(self, data: bytes | None) -> None:
        """Pass the data on after the delay; None closes the receiving end."""
        self._waiting.append((self._loop.time() + self._delay, data))
        if len(self._waiting) == 1:
            self._loop.call_later(self._delay, self._pass_on)

    def _pass_on(self) -> None:
        if self._target is None:
            return
        until, due = self._loop.time() + TOLERANCE, []
        while self._waiting and self._waiting[0][0] <= until:
            due.append(self._waiting.popleft()[1])
        if data := b"".join(each for each in due if each):
            self._target.write(data)
        if None in due:
            self._target.close()
        elif self._waiting:
            self._loop.call_at(self._waiting[0][0], self._pass_on)


class ProxyEnd(asyncio.Protocol):
    """One end of a proxied connection: sends its input out on one stream and receives the other stream."""

    def __init__(self, outgoing: DelayedStream, incoming: DelayedStream) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Receive the incoming stream."""
        self._incoming.connect(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Send the data to the other end."""
        self._outgoing.send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end after the data before it."""
        self._outgoing.send(None)


class ClientEnd(ProxyEnd):
    """The end that a client connects to; it opens the connection to the server."""

    tasks: "set[asyncio.Task[None]]" = set()  # noqa: RUF012 - asyncio keeps only weak references to tasks

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(DelayedStream(delay), DelayedStream(delay))
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._connect())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self) -> None:
        try:
            server_end = partial(ProxyEnd, self._incoming, self._outgoing)
            await asyncio.get_running_loop().create_connection(server_end, HOST, self._port)
        except OSError:
            self._incoming.send(None)


async def serve(port: int, *, to: int, latency: float) -> None:
    """Proxy one port of 127.0.0.1 to another until the process ends; `latency` in milliseconds of a round trip."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ClientEnd(latency / 2000, to), HOST, port, backlog=1000)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Run the proxy with the command line's options."""
    parser = argparse.ArgumentParser(description="A TCP proxy that adds latency")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--latency", type=float, required=True, help="milliseconds of a round trip")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, to=arguments.to, latency=arguments.latency))


if __name__ == "__main__":
    main()
