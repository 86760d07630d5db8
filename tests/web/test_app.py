"""Forged Host headers and impossible paths."""

import pytest


@pytest.mark.parametrize("path", ["/n/morning/", "/subscribe/", "/static", "/archive/"])
def test_no_response_repeats_the_host_header(service, path):
    service.newsletter()
    for method in ("GET", "POST"):
        answer = service.browser.request(method, path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert answer.status_code < 500
        assert "evil.example" not in f"{answer.headers} {answer.text}"


@pytest.mark.parametrize(
    "path", ["/archive/%00", "/archive/%00/1", "/pictures/%00", "/n/%00", "/outbox/%00", "/brand/%00.css"]
)
def test_a_path_with_a_nul_character_is_not_found(service, path):
    assert service.browser.get(path).status_code == 404
