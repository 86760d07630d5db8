"""The access log: one line per request, with the route in place of the path."""

import logging

import pytest

from newsletter.queues.wakeups import Queue

ANA = "ana@example.org"


@pytest.fixture
def new_lines(caplog):
    """Return a function that returns the access log's new lines: method, route, status."""
    caplog.set_level(logging.INFO, "newsletter.web.access_log")

    def new_lines() -> list[tuple]:
        records = [record for record in caplog.records if record.name == "newsletter.web.access_log"]
        caplog.clear()
        assert all(record.ms >= 0 for record in records)
        return [(record.method, record.route, record.status) for record in records]

    return new_lines


def test_a_request_is_logged_by_its_route_without_token_or_address(stage, new_lines, caplog):
    stage.newsletter()
    stage.sign_up(ANA)
    stage.run(Queue.URGENT)
    (letter,) = stage.letters(to=ANA)
    link = stage.link(letter, "confirm")
    new_lines()
    stage.browser.get(link)
    stage.browser.post(link, data={"confirm": "yes"})
    assert ANA not in caplog.text
    assert link.rpartition("/")[2] not in caplog.text
    assert new_lines() == [("GET", "/confirm/{token}", 200), ("POST", "/confirm/{token}", 200)]


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/n/morning", ("GET", "/n/{slug}", 200)),
        ("HEAD", "/n/morning", ("GET", "/n/{slug}", 200)),
        ("GET", "/n/evening", ("GET", "/n/{slug}", 404)),
        ("GET", "/nowhere/ana@example.org", ("GET", None, 404)),
        ("GET", "/static/base.css", ("GET", "/static", 200)),
        ("PUT", "/subscribe", ("PUT", "/subscribe", 405)),
    ],
)
def test_every_request_is_logged_once(stage, new_lines, method, path, line):
    stage.newsletter()
    new_lines()
    stage.browser.request(method, path)
    assert new_lines() == [line]


def test_refused_bodies_and_failed_pages_are_logged_too(stage, new_lines):
    stage.newsletter()
    form = stage.form()
    new_lines()
    stage.browser.post("/subscribe", data={**form, "name": "x" * 70_000})
    with stage.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE signups RENAME TO elsewhere")
    stage.browser.post("/subscribe", data={**form, "email": ANA})
    assert new_lines() == [("POST", "/subscribe", 413), ("POST", "/subscribe", 500)]
