"""What programs post in bad faith: one right answer each, in words, and nothing half done."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService, whole_service

SCRIPT = "<script>alert(1)</script>"
FIELDS = (
    "email",
    "name",
    "newsletters",
    "wording",
    "form",
    "language",
    "timezone",
    "consent",
    "website",
    "shown_at",
    "altcha",
    "page",
    "exhibit",
    "replaces",
    SCRIPT,
)

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@pytest.fixture
def service(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        yield service


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value)


def test_a_script_in_any_field_runs_nowhere(service):
    valid = {**service.form(), "email": "ana@example.org"}
    for field in FIELDS:
        for fields in ({field: SCRIPT}, {field: SCRIPT, "consent": ""}):
            page = service.browser.post("/subscribe", data={**valid, **fields})
            assert page.status_code in (202, 422), field
            assert SCRIPT not in page.text, field
    service.run(Queue.URGENT)
    for letter in service.letters():
        html = letter.get_body(("html",))
        assert html
        assert SCRIPT not in html.get_content()


@pytest.mark.parametrize("value", [{"a": 1}, [[]], [{"b": None}], 1.5, "\ud800", [True, {"c": []}]], ids=repr)
def test_json_of_the_wrong_shape_names_the_field(service, value):
    valid = {**service.form(), "email": "ana@example.org"}
    for field in ("website", "shown_at", "altcha", "email", "newsletters"):
        answer = service.browser.post("/subscribe", content=_json({**valid, field: value}), headers=JSON)
        assert answer.status_code == 422, (field, answer.text)
        assert answer.json()["errors"].keys() == {field}
    assert not service.rows()["signups"]


def test_of_several_addresses_none_is_taken(service):
    posted = {**service.form(), "email": ["ana@example.org", "bea@example.org"]}
    for body in ({"content": _json(posted), "headers": JSON}, {"data": posted, "headers": {"Accept": JSON["Accept"]}}):
        answer = service.browser.post("/subscribe", **body)
        assert answer.status_code == 422
        assert answer.json()["errors"].keys() == {"email"}
    assert not service.rows()["signups"]


def test_a_forged_host_leads_nobody_elsewhere(service):
    posted = {**service.form(), "email": "ana@example.org"}
    answer = service.browser.post("/subscribe", data=posted, headers={"Host": "evil.example"})
    assert answer.status_code == 202
    service.run(Queue.URGENT)
    (letter,) = service.letters()
    assert "evil.example" not in answer.text + str(answer.headers) + letter.as_string()
