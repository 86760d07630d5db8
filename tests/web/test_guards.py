"""How large a request may be and what an answer carries, route by route; the strictest where nothing is declared."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import func, select

from newsletter.consent.signups import Signup
from newsletter.web.guards import FORM_BYTES, NO_FORM_BYTES, allow
from tests.servers.server import free_port
from tests.waiting import eventually
from tests.whole_service import WholeService, whole_service

MB = 1024 * 1024
CHUNK = 8 * 1024
PRIVATE = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
ALWAYS = ("content-security-policy", "referrer-policy", "x-content-type-options")


@pytest.fixture
def site(sqlite_url, tmp_path) -> Iterator[WholeService]:
    """A service for what asks nothing of the database."""
    with whole_service(sqlite_url, tmp_path) as stage:
        stage.newsletter()
        yield stage


@contextmanager
def served(app: FastAPI) -> Iterator[http.client.HTTPConnection]:
    """The site behind a real web server."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None))
    thread = Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
        server.should_exit = True
        thread.join()


def posted(connection: http.client.HTTPConnection, path: str, body: bytes, *, chunked: bool) -> tuple[int, dict]:
    """The answer's status and body, after a whole JSON body with its length or in chunks without one."""
    pieces = (body[at : at + CHUNK] for at in range(0, len(body), CHUNK))
    headers = {"Content-Type": "application/json", **({"Transfer-Encoding": "chunked"} if chunked else {})}
    try:
        connection.request("POST", path, pieces if chunked else body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def with_hooks(stage: WholeService) -> FastAPI:
    """The site with two routes of later: one declares how much it takes, the other nothing."""

    async def size(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    @allow(body_limit=MB)
    async def hook(request: Request) -> dict[str, int]:
        return await size(request)

    app = stage.browser.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/hooks/relay", hook, methods=["POST"])
    app.add_api_route("/undeclared", size, methods=["POST"])
    return app


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_each_route_takes_what_it_declares_and_refuses_more(site, chunked):
    limits = {"/hooks/relay": MB, "/undeclared": NO_FORM_BYTES}
    with served(with_hooks(site)) as connection:
        for path, limit in limits.items():
            assert posted(connection, path, b"a" * limit, chunked=chunked) == (200, {"size": limit})
            status, body = posted(connection, path, b"a" * (limit + 1), chunked=chunked)
            assert (status, body["errors"].keys()) == (413, {"form"})
            assert f"{limit // 1024:,} kB" in body["errors"]["form"]


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_larger_hook_makes_no_form_larger(stage, chunked):
    stage.newsletter()
    form = json.dumps({**stage.form(), "newsletters": ["morning"], "email": "ana@example.org"}).encode()
    with served(with_hooks(stage)) as site:
        assert posted(site, "/subscribe", form.ljust(FORM_BYTES), chunked=chunked)[0] == 202
        assert posted(site, "/subscribe", form.ljust(FORM_BYTES + 1), chunked=chunked)[0] == 413
    with stage.site.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Signup)) == 1


def test_of_what_is_sent_to_no_route_nothing_is_read(site):
    """However long it goes on: a body in chunks has no length that could be refused."""
    asked, answered = 0, []

    async def receive() -> dict[str, object]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"a" * CHUNK, "more_body": True}

    async def send(message: dict[str, object]) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/nowhere", "raw_path": b"/nowhere", "query_string": b""}
    scope |= {"http_version": "1.1", "root_path": "", "scheme": "http", "headers": [(b"transfer-encoding", b"chunked")]}
    asyncio.run(site.browser.app(scope | {"client": ("127.0.0.1", 1), "server": ("localhost", 80)}, receive, send))
    assert answered[0]["status"] == 404
    assert asked == 0


@pytest.mark.parametrize("path", ["/", "/n/morning", "/archive", "/archive/morning", "/static/base.css"])
def test_a_page_that_is_the_same_for_everybody_may_be_found_and_kept(site, path):
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
def test_every_other_answer_is_kept_by_nobody_and_found_by_nobody(site, method, path, status):
    with_hooks(site)
    answer = site.browser.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in PRIVATE} == PRIVATE
    assert all(name in answer.headers for name in ALWAYS)
