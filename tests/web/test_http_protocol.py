"""The deadlines of requests and answers, on real sockets with short deadlines."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from newsletter.web.guards import Guards
from newsletter.web.http_protocol import MAX_HEADER_BYTES, PunctualHTTP
from tests.docs.markdown import ROOT
from tests.servers.server import free_port
from tests.waiting import TIMEOUT, eventually

SECONDS = 0.4  # a deadline that is to pass
LONG = 2 * TIMEOUT  # seconds: a deadline that is not the one in question, so that no test can pass by it
IN_TIME = 2.0  # seconds: a deadline that a client keeps, even where its thread waits for a processor
POST = b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MB = 1024 * 1024


class Site:
    """A small application in a real server, and what happened to its requests."""

    def __init__(self) -> None:
        self.disconnects = 0
        self.connections: set[object] = set()
        self.port = free_port()
        self.resume = Event()
        self.app = FastAPI()
        self.app.add_api_route("/", lambda: Response("here"), methods=["GET"])
        self.app.add_api_route("/size", self.size, methods=["POST"])
        self.app.add_api_route("/unread", lambda: Response("early"), methods=["POST"])
        self.app.add_api_route("/long", lambda: Response(b"a" * 50 * MB), methods=["GET"])
        self.app.add_api_route("/slow", self.slow, methods=["GET"])
        self.app.add_middleware(Guards)

    async def size(self, request: Request) -> Response:
        try:
            return Response(f"size {len(await request.body())}")
        except Exception:
            self.disconnects += 1
            raise

    def slow(self) -> Response:
        assert self.resume.wait(TIMEOUT)
        return Response("at last")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)


@contextmanager
def served(*, loop: str = "auto", keep_alive: float = LONG, **deadlines: float) -> Iterator[Site]:
    """Serve with these deadlines; the others are long."""
    times = {f"{name}_seconds": deadlines.get(name, LONG) for name in ("header", "body", "answer")}
    site = Site()
    http = type("Hasty", (PunctualHTTP,), times)
    config = uvicorn.Config(
        site.app, port=site.port, http=http, loop=loop, log_config=None, lifespan="off", timeout_keep_alive=keep_alive
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    site.connections = server.server_state.connections
    try:
        yield site
    finally:
        site.resume.set()
        server.should_exit = True
        thread.join()


def all_of(client: socket.socket) -> bytes:
    """Return all that arrives until the server closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received


def answer(client: socket.socket) -> bytes:
    """Return what arrives up to the end of one answer with a short body."""
    received = b""
    while b"\r\n\r\n" not in received or received.endswith(b"\r\n\r\n"):
        data = client.recv(65536)
        assert data, received
        received += data
    return received


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: a"])
def test_headers_that_do_not_end_are_answered_with_408(begun):
    with served(header=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(begun)
        assert all_of(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_connection_without_a_request_is_closed_without_an_answer():
    with served(header=SECONDS) as site, closing(site.connect()) as client:
        assert all_of(client) == b""


def drip(client: socket.socket, byte: bytes) -> None:
    """Send a byte now and then, until the server closes the connection; fail if it does not."""
    client.settimeout(SECONDS / 5)
    started = time.monotonic()
    while True:
        assert time.monotonic() - started < TIMEOUT, "the connection is still open"
        try:
            client.sendall(byte)
            if not client.recv(65536):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def test_a_header_of_a_byte_now_and_then_ends_at_the_deadline():
    with served(header=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        drip(client, b"a")


def test_a_body_that_does_not_end_is_answered_with_408_and_the_application_sees_a_client_that_left():
    with served(body=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(POST + b"half")
        assert all_of(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        eventually(lambda: site.disconnects == 1)
        with closing(site.connect()) as other:
            other.sendall(GET)
            assert answer(other).endswith(b"here")


def test_a_body_of_a_byte_now_and_then_ends_at_the_deadline():
    with served(body=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        drip(client, b"a")
        eventually(lambda: site.disconnects == 1)


def test_a_chunked_body_that_does_not_end_is_answered_with_408():
    with served(body=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(b"POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        assert all_of(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_body_that_the_application_does_not_want_ends_at_the_deadline_too():
    with served(body=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert answer(client).endswith(b"early")
        drip(client, b"a")


def test_a_further_request_that_is_half_sent_is_answered_with_408():
    with served(header=IN_TIME) as site, closing(site.connect()) as client:
        for _ in range(3):
            client.sendall(GET)
            assert answer(client).endswith(b"here")
        client.sendall(GET[:20])
        assert all_of(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_the_body_of_a_further_request_has_a_deadline():
    with served(body=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(GET + POST + b"half")  # in one packet
        assert all_of(client).partition(b"here")[2].startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_a_request_in_time_is_answered_however_long_the_answer_takes():
    with served(header=IN_TIME, body=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(POST)
        client.sendall(b"0123456789")
        assert answer(client).endswith(b"size 10")
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(1.5 * IN_TIME)
        with pytest.raises(TimeoutError):
            client.recv(1)
        site.resume.set()
        client.settimeout(TIMEOUT)
        assert answer(client).endswith(b"at last")


def test_an_idle_connection_stays_open_as_long_as_uvicorn_says():
    with served(header=IN_TIME, body=IN_TIME, answer=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(GET)
        assert answer(client).endswith(b"here")
        client.settimeout(1.5 * IN_TIME)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(TIMEOUT)
        client.sendall(GET)
        assert answer(client).endswith(b"here")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_takes_nothing_of_its_answer_is_disconnected(loop):
    with served(loop=loop, answer=SECONDS) as site, closing(site.connect()) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        eventually(lambda: not site.connections)
        assert len(all_of(client)) < 50 * MB


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(loop):
    with served(loop=loop, answer=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received, started = 0, time.monotonic()
        while data := client.recv(4 * MB):
            received += len(data)
            if time.monotonic() - started < 2 * IN_TIME:
                site.resume.wait(IN_TIME / 4)
        assert received > 50 * MB


CHUNKED = b"POST /size HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "endless"),
    [
        (b"", b"GET / HTTP/1.1\r\nX-Long: "),
        (b"", b"GET /"),
        (b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nX-Long: "),
        (b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n", b"abGET / HTTP/1.1\r\nX-Long: "),
        (CHUNKED, b"0\r\nX-Trailer: "),
        (CHUNKED, b"5;extension="),
    ],
    ids=[
        "header",
        "path",
        "header behind a slow answer",
        "header behind an early answer",
        "trailer",
        "size of a chunk",
    ],
)
def test_what_the_parser_holds_is_limited_in_every_state(before, endless):
    with served() as site, closing(site.connect()) as client:
        client.sendall(before)
        if b"unread" in before:
            assert answer(client).endswith(b"early")
        with suppress(OSError):
            client.sendall(endless)
            for _ in range(400 * MAX_HEADER_BYTES // 65536):
                client.sendall(b"a" * 65536)
            pytest.fail("the server took all of it")
        received = all_of(client)
        assert received == b"" or received[9:12] in (b"431", b"400")


def test_line_ends_between_two_requests_do_not_keep_a_connection_open():
    with served(header=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(GET)
        assert answer(client).endswith(b"here")
        drip(client, b"\r\n")


def test_an_answer_that_takes_long_comes_although_the_next_request_is_half_sent():
    with served(header=IN_TIME) as site, closing(site.connect()) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(SECONDS / 2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.sendall(GET[:20])
        client.settimeout(1.5 * IN_TIME)
        with pytest.raises(TimeoutError):
            client.recv(1)
        site.resume.set()
        client.settimeout(TIMEOUT)
        assert answer(client).endswith(b"at last")
        assert all_of(client).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.parametrize("file", ["compose.yaml", "docs/deploy-debian.md", "newsletter/cli/demo/environment.py"])
def test_every_set_up_of_the_site_uses_the_deadlines(file):
    (named,) = re.findall(r'--http"?,? "?([\w.:]+)', (ROOT / file).read_text(encoding="utf-8"))
    config = uvicorn.Config(FastAPI(), http=named, log_config=None)
    config.load()
    assert config.http_protocol_class is PunctualHTTP


def test_the_deadlines_are_those_of_the_documentation():
    page = " ".join((ROOT / "docs/deploy-debian.md").read_text(encoding="utf-8").split())
    assert f"headers must arrive within {PunctualHTTP.header_seconds:.0f} seconds" in page
    assert f"its body within {PunctualHTTP.body_seconds:.0f}" in page
    assert PunctualHTTP.answer_seconds == 60
