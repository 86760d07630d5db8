"""The long wire: whatever goes in comes out, in order, later."""

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
    """A wire to somebody who says again what he hears, and then hangs up."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as door:
        words = ["--port", str(port), "--to", str(door.getsockname()[1]), "--latency", str(LATENCY)]
        with subprocess.Popen([sys.executable, "-m", "newsletter.bench.latency_proxy", *words]) as wire:
            thread = Thread(target=answer, args=[door], daemon=True)
            thread.start()
            assert eventually(lambda: listens(port), within=20)
            yield port
            wire.terminate()


def answer(door):
    """The first caller only looked whether somebody is there."""
    for _ in range(2):
        caller, _ = door.accept()
        with caller:
            while heard := caller.recv(65_536):
                caller.sendall(heard)


def test_bytes_come_back_whole_and_in_order_but_later(echo):
    said = os.urandom(2_000_000)
    with socket.create_connection(("127.0.0.1", echo)) as line:
        begun = time.monotonic()
        line.sendall(said[:10])
        assert line.recv(10) == said[:10]
        assert time.monotonic() - begun >= (LATENCY - 2) / 1000
        Thread(target=line.sendall, args=[said[10:]], daemon=True).start()
        heard = b""
        while len(heard) < len(said) - 10:
            heard += line.recv(65_536)
        assert heard == said[10:]
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
