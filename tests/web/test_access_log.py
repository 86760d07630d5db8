"""One line a request, with the route in place of the path."""

import logging

import pytest

from newsletter.queues.wakeups import Queue

ANA = "ana@example.org"


@pytest.fixture
def told(caplog):
    """What the access log has told since it was asked last: method, route, status."""
    caplog.set_level(logging.INFO, "newsletter.web.access_log")

    def told() -> list[tuple]:
        found = [record for record in caplog.records if record.name == "newsletter.web.access_log"]
        caplog.clear()
        assert all(record.ms >= 0 for record in found)
        return [(record.method, record.route, record.status) for record in found]

    return told


def test_a_request_is_told_by_its_route_and_nobodys_token_or_address(stage, told, caplog):
    stage.newsletter()
    stage.sign_up(ANA)
    stage.run(Queue.URGENT)
    (letter,) = stage.letters(to=ANA)
    link = stage.link(letter, "confirm")
    told()
    stage.browser.get(link)
    stage.browser.post(link, data={"confirm": "yes"})
    assert ANA not in caplog.text
    assert link.rpartition("/")[2] not in caplog.text
    assert told() == [("GET", "/confirm/{token}", 200), ("POST", "/confirm/{token}", 200)]


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
def test_every_answer_is_told_once(stage, told, method, path, line):
    stage.newsletter()
    told()
    stage.browser.request(method, path)
    assert told() == [line]


def test_a_body_that_is_refused_and_a_page_that_fails_are_told_too(stage, told):
    stage.newsletter()
    form = stage.form()
    told()
    stage.browser.post("/subscribe", data={**form, "name": "x" * 70_000})
    with stage.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE signups RENAME TO elsewhere")
    stage.browser.post("/subscribe", data={**form, "email": ANA})
    assert told() == [("POST", "/subscribe", 413), ("POST", "/subscribe", 500)]
