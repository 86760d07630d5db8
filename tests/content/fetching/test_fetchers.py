"""The contract of a fetcher, for the HTTP fetcher and for the fake that replaces it in other tests."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import Fetcher
from newsletter.content.fetching.http import HttpFetcher
from tests.content.builders import FakeFetcher
from tests.local_http import LocalHttp

PAGES = {"/feed": b"<rss/>", "/other": b"12345"}
ETAG = '"one"'


class FetcherCase(NamedTuple):
    """A fetcher, and the URLs of the pages by path."""

    fetcher: Fetcher
    urls: Mapping[str, str]


@pytest.fixture(params=["fake", "http"])
def case(request: pytest.FixtureRequest) -> FetcherCase:
    return {"fake": fake_case, "http": http_case}[request.param](request.getfixturevalue)


def fake_case(_: Callable[[str], object]) -> FetcherCase:
    urls = {path: f"https://press.example{path}" for path in [*PAGES, "/missing"]}
    answers = {urls[path]: body for path, body in PAGES.items()}
    return FetcherCase(FakeFetcher(answers, dict.fromkeys(answers, ETAG)), urls)


def http_case(fixture: Callable[[str], object]) -> FetcherCase:
    site = fixture("site")
    assert isinstance(site, LocalHttp)
    urls = {path: site.put(path, body, etag=ETAG) for path, body in PAGES.items()}
    return FetcherCase(HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")]), {**urls, "/missing": site.url("/missing")})


def test_a_fetch_returns_the_body_and_the_etag(case):
    response = case.fetcher.fetch(case.urls["/feed"])
    assert (response.url, response.body, response.etag) == (case.urls["/feed"], b"<rss/>", ETAG)


def test_an_unchanged_body_is_not_returned_again(case):
    assert case.fetcher.fetch(case.urls["/feed"], etag=ETAG).body is None
    assert case.fetcher.fetch(case.urls["/feed"], etag='"old"').body == b"<rss/>"


def test_a_missing_page_is_an_error_with_the_reason(case):
    with pytest.raises(FetchError, match="404 Not Found"):
        case.fetcher.fetch(case.urls["/missing"])


def test_a_body_over_the_limit_is_refused(case):
    assert case.fetcher.fetch(case.urls["/other"], limit=5).body == b"12345"
    with pytest.raises(FetchError, match="larger than"):
        case.fetcher.fetch(case.urls["/other"], limit=4)
