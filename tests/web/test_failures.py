"""Pages for failures of the service, and a visitor who leaves too early."""

import asyncio
import logging

import pytest
from fastapi.testclient import TestClient

from newsletter.settings import Settings
from newsletter.web import create_app
from tests.servers.server import free_port
from tests.whole_service import SECRET, NoWakeups

ANA = "ana@example.org"
PROTECTED = ("content-security-policy", "referrer-policy", "x-content-type-options")


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


@pytest.mark.parametrize(("accept", "language"), [("text/html", "de"), ("application/json", "en")])
def test_while_the_database_is_away_pages_answer_503_in_the_visitors_language(tmp_path, accept, language):
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    settings = Settings(database_url=away, data_dir=tmp_path, base_url="http://localhost", secret_keys=SECRET)
    site = create_app(settings, NoWakeups())
    browser = TestClient(site, base_url=settings.base_url, raise_server_exceptions=False, headers={"Accept": accept})
    browser.headers["Accept-Language"] = language
    answer = browser.get("/n/morning")
    assert (answer.status_code, answer.headers["content-language"]) == (503, language)
    assert "<h1>" in answer.text or "try again" in answer.json()["errors"]["request"]
    assert all(header in answer.headers for header in PROTECTED)
    site.state.site.database.close()


def test_a_program_is_told_in_its_language_that_an_address_or_a_method_is_wrong(service):
    service.newsletter(language="de")
    headers = {"Accept": "application/json", "Accept-Language": "de"}
    lost, form = service.browser.get("/nowhere", headers=headers), service.browser.put("/subscribe", headers=headers)
    assert (lost.status_code, lost.json()) == (404, {"errors": {"request": "Diese Seite gibt es nicht"}})
    assert (form.status_code, form.headers["allow"]) == (405, "POST")
    assert form.json() == {"errors": {"request": "Diese Seite kann Ihre Eingaben nicht annehmen"}}


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
