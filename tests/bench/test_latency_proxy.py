"""The latency proxy passes on every byte, in order and delayed."""

import os
import socket
import subprocess
import sys
import time
from threading import Thread

import pytest

from tests.servers.server import free_port, listens
from tests.waiting import eventually

LATENCY = 80  # milliseconds of a round trip


@pytest.fixture
def echo():
    """The port of a proxy before an echo server."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = ["--port", str(port), "--to", str(listener.getsockname()[1]), "--latency", str(LATENCY)]
        with subprocess.Popen([sys.executable, "-m", "newsletter.bench.latency_proxy", *words]) as proxy:
            thread = Thread(target=serve_echo, args=[listener], daemon=True)
            thread.start()
            assert eventually(lambda: listens(port))
            yield port
            proxy.terminate()


def serve_echo(listener):
    """Serve two connections; the first is the check that the proxy listens."""
    for _ in range(2):
        connection, _ = listener.accept()
        with connection:
            while received := connection.recv(65_536):
                connection.sendall(received)


def test_bytes_arrive_complete_in_order_and_delayed(echo):
    data = os.urandom(2_000_000)
    with socket.create_connection(("127.0.0.1", echo)) as connection:
        started = time.monotonic()
        connection.sendall(data[:10])
        assert connection.recv(10) == data[:10]
        assert time.monotonic() - started >= (LATENCY - 2) / 1000
        Thread(target=connection.sendall, args=[data[10:]], daemon=True).start()
        received = b""
        while len(received) < len(data) - 10:
            received += connection.recv(65_536)
        assert received == data[10:]
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
