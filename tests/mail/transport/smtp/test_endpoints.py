"""A relay with several addresses, some of which do not answer."""

import asyncio
import socket
from contextlib import closing

import pytest

from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.relays import Relay


class FixedDnsLoop(asyncio.SelectorEventLoop):
    """An event loop whose DNS returns these addresses for every name, in this order."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        super().__init__()
        self._addresses = addresses
        self.attempts: list[tuple[str, int]] = []

    async def getaddrinfo(self, *_given, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in self._addresses]

    async def sock_connect(self, sock, address):
        self.attempts.append(address)
        await super().sock_connect(sock, address)


@pytest.fixture
def unanswering():
    """An address that answers no SYN, because its backlog is full."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(server.getsockname())
        yield server.getsockname()
        for each in waiting:
            each.close()


def test_if_the_first_address_does_not_answer_the_next_is_tried_and_remembered(unanswering):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = server.getsockname()
        with closing(FixedDnsLoop(unanswering, answering)) as loop:
            endpoints = Endpoints(Relay(host="relay.example", port=25), loop)
            for _ in range(2):
                with loop.run_until_complete(endpoints.connect(within=4)) as connected:
                    assert connected.getpeername() == answering
            assert loop.attempts == [unanswering, answering, answering]


def test_if_no_address_answers_connecting_fails_in_time(unanswering):
    with closing(FixedDnsLoop(unanswering, unanswering)) as loop:
        endpoints = Endpoints(Relay(host="relay.example", port=25), loop)
        with pytest.raises(TimeoutError):
            loop.run_until_complete(endpoints.connect(within=0.4))
