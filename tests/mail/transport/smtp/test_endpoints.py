"""A relay with several addresses, of which some do not answer."""

import asyncio
import socket
from contextlib import closing

import pytest

from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.relays import Relay


class Names(asyncio.SelectorEventLoop):
    """A loop whose DNS knows two addresses of every name, in this order."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        super().__init__()
        self._addresses = addresses
        self.tried: list[tuple[str, int]] = []

    async def getaddrinfo(self, *_given, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in self._addresses]

    async def sock_connect(self, sock, address):
        self.tried.append(address)
        await super().sock_connect(sock, address)


@pytest.fixture
def swallowing():
    """An address that answers to no SYN: its queue is full."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(server.getsockname())
        yield server.getsockname()
        for each in waiting:
            each.close()


def test_where_the_first_address_swallows_all_the_next_is_tried_and_remembered(swallowing):
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = server.getsockname()
        with closing(Names(swallowing, good)) as loop:
            addresses = Endpoints(Relay(host="relay.example", port=25), loop)
            for _ in range(2):
                with loop.run_until_complete(addresses.connect(within=1)) as connected:
                    assert connected.getpeername() == good
            assert loop.tried == [swallowing, good, good]


def test_where_no_address_answers_that_is_said_in_time(swallowing):
    with closing(Names(swallowing, swallowing)) as loop:
        addresses = Endpoints(Relay(host="relay.example", port=25), loop)
        with pytest.raises(TimeoutError):
            loop.run_until_complete(addresses.connect(within=0.4))
