"""Hostile and broken requests: forged hosts and proxies, lone surrogates, impossible paths, disconnects."""

import asyncio
import logging

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from newsletter.consent.ledger import TraceRow
from newsletter.consent.signups import Signup
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.web import create_app
from tests.servers.server import free_port
from tests.whole_service import SECRET, NoWakeups, WholeService, whole_service

ANA = "ana@example.org"
PROTECTED = ("content-security-policy", "referrer-policy", "x-content-type-options")


def seen_ip(service: WholeService, *forwarded: str) -> str | None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    form = {**service.form(), "email": ANA}
    assert service.browser.post("/subscribe", data=form, headers=headers).status_code == 202
    with service.site.database.reading() as session:
        signup = session.scalars(select(Signup).order_by(Signup.id.desc())).first()
        assert signup
        return signup.evidence.get("ip")


def test_x_forwarded_for_from_an_untrusted_peer_is_ignored(service):
    service.newsletter()
    assert seen_ip(service, "6.6.6.6") == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        (["6.6.6.6"], "6.6.6.6"),
        (["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
        (["6.6.6.6", "9.9.9.9"], "9.9.9.9"),
        (["6.6.6.6, 10.0.0.7"], "6.6.6.6"),
        (["9.9.9.9:4711"], "9.9.9.9"),
        (["[2001:db8::1]:80"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["nonsense"], None),
        ([], "127.0.0.1"),
    ],
)
def test_x_forwarded_for_counts_only_as_far_as_trusted_proxies_appended_it(sqlite_url, tmp_path, forwarded, seen):
    with whole_service(sqlite_url, tmp_path, trusted_proxies="127.0.0.1,10.0.0.0/8") as service:
        service.newsletter()
        assert seen_ip(service, *forwarded) == seen


def test_the_origin_of_a_sign_up_is_stored_as_a_trace(service):
    service.newsletter()
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        assert session.scalars(select(TraceRow.ip)).all() == ["127.0.0.1"]


@pytest.mark.parametrize("path", ["/n/morning/", "/subscribe/", "/static", "/archive/"])
def test_no_response_repeats_the_host_header(service, path):
    service.newsletter()
    for method in ("GET", "POST"):
        answer = service.browser.request(method, path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert 400 <= answer.status_code < 500
        assert "evil.example" not in f"{answer.headers} {answer.text}"


@pytest.mark.parametrize(
    "path", ["/archive/%00", "/archive/%00/1", "/pictures/%00", "/n/%00", "/outbox/%00", "/brand/%00.css"]
)
def test_a_path_with_a_nul_character_is_not_found(service, path):
    assert service.browser.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"newsletters":["\ud800"]}', "newsletters"),
        (r'{"name":"\udfff"}', "name"),
        (r'{"\ud800":{}}', "body"),
    ],
)
def test_a_lone_surrogate_is_refused_with_the_fields_name(service, body, field):
    answer = service.browser.post("/subscribe", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert field in answer.json()["errors"]


@pytest.mark.parametrize("name", ["علی‌رضا", "Jean\u00a0Paul", "क्‍ष", "O'Neill", "José María", "小雪"])
def test_names_in_any_script_are_accepted(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 202


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2028b", "a\tb", "a\x7fb"])
def test_names_with_control_characters_are_refused(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 422


def test_a_file_in_the_form_is_refused_with_the_fields_name(service):
    answer = service.browser.post(
        "/subscribe", files={"email": ("a.txt", b"text", "text/plain")}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "email" in answer.json()["errors"]


def test_a_failed_page_has_security_headers_and_its_log_contains_no_address(service, caplog):
    service.newsletter()
    with service.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE signups RENAME TO elsewhere")
    with caplog.at_level(logging.DEBUG):
        answer = service.sign_up(ANA)
    assert answer.status_code == 500
    assert "<h1>" in answer.text
    assert all(header in answer.headers for header in PROTECTED)
    assert "a page failed" in caplog.text
    assert ANA not in caplog.text


def test_the_outbox_is_shown_only_to_requests_from_this_machine(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        assert service.browser.get("/outbox").status_code == 200
        assert service.browser.get("/outbox", headers={"Host": "letters.example.org"}).status_code == 404
        with TestClient(service.browser.app, base_url="http://localhost", client=("192.168.1.7", 1)) as neighbour:
            assert neighbour.get("/outbox").status_code == 404


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_while_the_database_is_away_pages_answer_503(tmp_path, accept):
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    settings = Settings(database_url=away, data_dir=tmp_path, base_url="http://localhost", secret_keys=SECRET)
    site = create_app(settings, NoWakeups())
    browser = TestClient(site, base_url=settings.base_url, raise_server_exceptions=False, headers={"Accept": accept})
    answer = browser.get("/n/morning")
    assert answer.status_code == 503
    assert "<h1>" in answer.text or "try again" in answer.json()["errors"]["request"]
    assert all(header in answer.headers for header in PROTECTED)
    site.state.site.database.close()


def test_a_client_that_disconnects_while_it_sends_the_form_causes_no_error(service, caplog):
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        raise AssertionError("the client is gone")

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/subscribe",
        "raw_path": b"/subscribe",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"500")],
        "client": ("127.0.0.1", 50_000),
        "server": ("localhost", 80),
    }
    with caplog.at_level(logging.INFO):
        asyncio.run(service.browser.app(scope, receive, send))
    assert [record.status for record in caplog.records if record.message == "request"] == [499]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
