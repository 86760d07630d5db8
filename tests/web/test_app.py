"""Forged Host headers, impossible paths, and what the applications of a process share."""

from itertools import zip_longest

import pytest
from fastapi.routing import iter_route_contexts

from newsletter.web import create_app
from tests.whole_service import NoWakeups


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


def test_the_routes_are_built_once_for_all_applications_of_a_process(site):
    other = create_app(site.site.settings, NoWakeups(), database=site.site.database, monitoring=site.site.database)
    built = [iter_route_contexts(app.routes) for app in (site.browser.app, other)]
    assert [one for one, same in zip_longest(*built) if one._effective_route is not same._effective_route] == []
