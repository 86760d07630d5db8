"""Body limits and security headers of each route; the strictest for routes that declare nothing."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import func, select

from newsletter.consent.signups.signups import Signup
from newsletter.queues.wakeups import Queue
from newsletter.web.guards import DEFAULT_BODY_BYTES, FORM_BODY_BYTES, route_rules
from tests.servers.server import free_port
from tests.waiting import TIMEOUT, eventually
from tests.whole_service import WholeService

MB = 1024 * 1024
CHUNK = 8 * 1024
PRIVATE = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
ALWAYS = ("content-security-policy", "referrer-policy", "x-content-type-options")


@contextmanager
def served(app: FastAPI) -> Iterator[http.client.HTTPConnection]:
    """Run the site in a real web server; yield a connection to it."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None))
    thread = Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        yield connection
    finally:
        connection.close()
        server.should_exit = True
        thread.join()


def post_json(connection: http.client.HTTPConnection, path: str, body: bytes, *, chunked: bool) -> tuple[int, dict]:
    """Post a JSON body, with its length or in chunks without it; return the response's status and body."""
    pieces = (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    headers = {"Content-Type": "application/json", **({"Transfer-Encoding": "chunked"} if chunked else {})}
    try:
        connection.request("POST", path, pieces if chunked else body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def with_webhooks(service: WholeService) -> FastAPI:
    """Return the site with two more routes: one declares a body limit, the other none."""

    async def size(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @route_rules(body_limit=MB)
    async def webhook(request: Request) -> dict[str, int]:
        return await size(request)

    app = service.browser.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/hooks/relay", webhook, methods=["POST"])
    app.add_api_route("/undeclared", size, methods=["POST"])
    return app


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_each_route_accepts_bodies_up_to_its_limit_and_refuses_larger_ones(site, chunked):
    limits = {"/hooks/relay": MB, "/undeclared": DEFAULT_BODY_BYTES}
    with served(with_webhooks(site)) as connection:
        for path, limit in limits.items():
            assert post_json(connection, path, b"a" * limit, chunked=chunked) == (200, {"size": limit})
            status, body = post_json(connection, path, b"a" * (limit + 1), chunked=chunked)
            assert (status, body["errors"].keys()) == (413, {"form"})
            assert f"{limit // 1024:,} kB" in body["errors"]["form"]


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_higher_limit_of_one_route_does_not_raise_the_limit_of_forms(service, chunked):
    service.newsletter()
    form = json.dumps({**service.form(), "newsletters": ["morning"], "email": "ana@example.org"}).encode()
    with served(with_webhooks(service)) as site:
        assert post_json(site, "/subscribe", form.ljust(FORM_BODY_BYTES), chunked=chunked)[0] == 202
        assert post_json(site, "/subscribe", form.ljust(FORM_BODY_BYTES + 1), chunked=chunked)[0] == 413
    with service.site.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Signup)) == 1


@pytest.mark.parametrize("path", ["/hooks/relay", "/undeclared", "/subscribe", "/confirm/x", "/never/x"])
def test_a_length_over_the_limit_is_refused_before_a_byte_of_the_body_arrives(site, path):
    request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    with (
        served(with_webhooks(site)) as connection,
        socket.create_connection((connection.host, connection.port), timeout=TIMEOUT) as client,
    ):
        client.sendall(request.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_pages_that_read_no_body_refuse_a_large_one_and_take_the_buttons_form(service):
    service.newsletter()
    service.sign_up("ana@example.org")
    service.run(Queue.URGENT)
    (letter,) = service.letters()
    for path, button in [("confirm", "confirm=yes"), ("never", "never=yes")]:
        link = service.link(letter, path)
        with served(with_webhooks(service)) as connection:
            assert post_json(connection, link, b"a" * 70_000, chunked=False)[0] == 413
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", link, button.encode(), headers)
            assert connection.getresponse().status == 200


def test_a_body_sent_to_an_unknown_route_is_not_read(site):
    """A chunked body has no length that could be refused, so it could go on for ever."""
    reads, sent = 0, []

    async def receive() -> dict[str, object]:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b"a" * CHUNK, "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/nowhere", "raw_path": b"/nowhere", "query_string": b""}
    scope |= {"http_version": "1.1", "root_path": "", "scheme": "http", "headers": [(b"transfer-encoding", b"chunked")]}
    asyncio.run(site.browser.app(scope | {"client": ("127.0.0.1", 1), "server": ("localhost", 80)}, receive, send))
    assert sent[0]["status"] == 404
    assert reads == 0


@pytest.mark.parametrize("path", ["/", "/n/morning", "/archive", "/archive/morning", "/static/base.css"])
def test_public_pages_may_be_cached_and_indexed(site, path):
    answer = site.browser.get(path)
    assert answer.status_code == 200
    assert "x-robots-tag" not in answer.headers
    assert answer.headers.get("cache-control") != "no-store"
    assert all(name in answer.headers for name in ALWAYS)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/nowhere", 404),
        ("GET", "/u", 404),
        ("GET", "/u/x/y", 404),
        ("GET", "/preferences/cut", 404),
        ("GET", "/n/none", 404),
        ("GET", "/archive/none/1", 404),
        ("GET", "/static/none.css", 404),
        ("POST", "/", 405),
        ("POST", "/subscribe", 422),
        ("POST", "/undeclared", 200),
        ("GET", "/outbox", 200),
        ("GET", "/health/live", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_every_other_response_is_neither_cached_nor_indexed(site, method, path, status):
    with_webhooks(site)
    answer = site.browser.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in PRIVATE} == PRIVATE
    assert all(name in answer.headers for name in ALWAYS)
