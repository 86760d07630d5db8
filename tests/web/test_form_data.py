"""Broken and hostile bodies are refused with the field's name."""

import pytest


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


def test_a_file_in_the_form_is_refused_with_the_fields_name(service):
    answer = service.browser.post(
        "/subscribe", files={"email": ("a.txt", b"text", "text/plain")}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "email" in answer.json()["errors"]
