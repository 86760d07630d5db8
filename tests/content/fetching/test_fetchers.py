"""What holds for whoever fetches: the Internet's fetcher and the shelf that stands in for it in other tests."""

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


class World(NamedTuple):
    """A fetcher, and where it finds the pages."""

    fetcher: Fetcher
    where: Mapping[str, str]


@pytest.fixture(params=["shelf", "http"])
def world(request: pytest.FixtureRequest) -> World:
    return {"shelf": shelved, "http": served}[request.param](request.getfixturevalue)


def shelved(_: Callable[[str], object]) -> World:
    where = {path: f"https://press.example{path}" for path in [*PAGES, "/missing"]}
    answers = {where[path]: body for path, body in PAGES.items()}
    return World(FakeFetcher(answers, dict.fromkeys(answers, ETAG)), where)


def served(fixture: Callable[[str], object]) -> World:
    site = fixture("site")
    assert isinstance(site, LocalHttp)
    where = {path: site.put(path, body, etag=ETAG) for path, body in PAGES.items()}
    return World(HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")]), {**where, "/missing": site.url("/missing")})


def test_what_lies_at_an_address_is_fetched(world):
    answer = world.fetcher.fetch(world.where["/feed"])
    assert (answer.url, answer.body, answer.etag) == (world.where["/feed"], b"<rss/>", ETAG)


def test_what_is_known_is_not_fetched_again(world):
    assert world.fetcher.fetch(world.where["/feed"], etag=ETAG).body is None
    assert world.fetcher.fetch(world.where["/feed"], etag='"old"').body == b"<rss/>"


def test_what_is_not_there_is_an_error_with_the_reason(world):
    with pytest.raises(FetchError, match="404 Not Found"):
        world.fetcher.fetch(world.where["/missing"])


def test_what_is_too_large_is_not_taken(world):
    assert world.fetcher.fetch(world.where["/other"], limit=5).body == b"12345"
    with pytest.raises(FetchError, match="larger than"):
        world.fetcher.fetch(world.where["/other"], limit=4)
