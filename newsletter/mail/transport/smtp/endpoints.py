"""A relay's network addresses: connect to the first one that answers."""

import asyncio
import socket

from newsletter.relays import Relay

ADDRESS_TIMEOUT = 10.0  # seconds for each of several addresses; only the first message waits for a dead one


class Endpoints:
    """The addresses of one relay. The one that answered last is tried first."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop) -> None:
        self._relay, self._loop = relay, loop
        self._last_good: object = None

    async def connect(self, *, within: float) -> socket.socket:
        """Return a connected socket, within that many seconds.

        Raises the OSError of the address tried last; TimeoutError if none answers. The DNS is asked each time, because
        its answer may change.
        """
        found = await self._loop.getaddrinfo(self._relay.host, self._relay.port, type=socket.SOCK_STREAM)
        timeout = within if len(found) == 1 else min(ADDRESS_TIMEOUT, within / len(found))
        error: OSError = OSError("its name has no address")
        for family, kind, protocol, _, address in sorted(found, key=lambda each: each[4] != self._last_good):
            try:
                connected = await self._connect(socket.socket(family, kind, protocol), address, timeout)
            except OSError as failure:
                error = failure
            else:
                self._last_good = address
                return connected
        raise error

    async def _connect(self, new: socket.socket, address: object, seconds: float) -> socket.socket:
        try:
            new.setblocking(False)
            new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(seconds):
                await self._loop.sock_connect(new, address)  # type: ignore[arg-type]
        except BaseException:
            new.close()
            raise
        return new
