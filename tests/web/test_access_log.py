"""The access log: one line per request, with the route in place of the path."""

import logging

import pytest
from opentelemetry import trace
from opentelemetry.trace import NoOpTracer, TracerProvider

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


def test_a_request_is_logged_by_its_route_without_token_or_address(service, new_lines, caplog):
    service.newsletter()
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=ANA)
    link = service.link(letter, "confirm")
    new_lines()
    service.browser.get(link)
    service.browser.post(link, data={"confirm": "yes"})
    assert ANA not in caplog.text
    assert link.rpartition("/")[2] not in caplog.text
    assert new_lines() == [("GET", "/confirm/{token}", 200), ("POST", "/confirm/{token}", 200)]


class Spans(TracerProvider, NoOpTracer):
    """A provider such as operators set; it notes the attributes of each span."""

    def __init__(self) -> None:
        self.attributes: list[object] = []

    def get_tracer(self, *_, **__):
        return self

    def start_span(self, name, *args, attributes=None, **more):
        self.attributes.append(attributes)
        return super().start_span(name, *args, attributes=attributes, **more)


def test_no_span_of_a_request_is_given_to_a_provider_of_the_process(site):
    spans = Spans()
    trace.set_tracer_provider(spans)
    site.browser.get("/confirm/k1.AQEJm3Zr5Gd0mQb7vW1k2x", params={"email": ANA})
    assert trace.get_tracer_provider() is spans
    assert spans.attributes == []


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/n/morning", ("GET", "/n/{slug}", 200)),
        ("HEAD", "/n/morning", ("GET", "/n/{slug}", 200)),
        ("GET", "/n/evening", ("GET", "/n/{slug}", 404)),
        ("GET", "/nowhere/ana@example.org", ("GET", None, 404)),
        ("GET", "/static/base.css", ("GET", "/static/{name}", 200)),
        ("PUT", "/subscribe", ("PUT", "/subscribe", 405)),
    ],
)
def test_every_request_is_logged_once(service, new_lines, method, path, line):
    service.newsletter()
    new_lines()
    service.browser.request(method, path)
    assert new_lines() == [line]


def test_refused_bodies_and_failed_pages_are_logged_too(service, new_lines):
    service.newsletter()
    form = service.form()
    new_lines()
    service.browser.post("/subscribe", data={**form, "name": "x" * 70_000})
    with service.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE signups RENAME TO elsewhere")
    service.browser.post("/subscribe", data={**form, "email": ANA})
    assert new_lines() == [("POST", "/subscribe", 413), ("POST", "/subscribe", 500)]
