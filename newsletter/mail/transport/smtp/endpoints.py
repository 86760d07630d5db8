"""Addresses: where a relay is reached, one after another until one answers."""

import asyncio
import socket

from newsletter.relays import Relay

SHARE = 10.0  # seconds for an address that is not the only one; a dead one takes no letter's time but the first's


class Endpoints:
    """A relay's. The one that answered last is tried first."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop) -> None:
        self._relay, self._loop = relay, loop
        self._answered: object = None

    async def connect(self, *, within: float) -> socket.socket:
        """A connected socket. Raises OSError, for the address that was tried last; of TimeoutError where none answers.

        The DNS is asked anew each time: its answer may change.
        """
        found = await self._loop.getaddrinfo(self._relay.host, self._relay.port, type=socket.SOCK_STREAM)
        share = within if len(found) == 1 else min(SHARE, within / len(found))
        error: OSError = OSError("its name has no address")
        for family, kind, protocol, _, address in sorted(found, key=lambda each: each[4] != self._answered):
            try:
                connected = await self._try(socket.socket(family, kind, protocol), address, share)
            except OSError as failed:
                error = failed
            else:
                self._answered = address
                return connected
        raise error

    async def _try(self, trying: socket.socket, address: object, seconds: float) -> socket.socket:
        try:
            trying.setblocking(False)
            trying.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(seconds):
                await self._loop.sock_connect(trying, address)  # type: ignore[arg-type]
        except BaseException:
            trying.close()
            raise
        return trying
