"""Redirects: five at most, each checked anew, and where the permanent ones lead."""

import httpx2
import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.destinations import Forbidden
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.fetching.redirects import PermanentMove
from tests.local_http import LocalHttp


@pytest.fixture
def fetcher() -> HttpFetcher:
    return HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")])


def chain(site: LocalHttp, *statuses: int) -> str:
    """Set a chain of redirects with these statuses from /0 on, which ends at a document."""
    for number, status in enumerate(statuses):
        site.put(f"/{number}", status=status, headers={"Location": f"/{number + 1}"})
    site.put(f"/{len(statuses)}", b"here")
    return site.url("/0")


@pytest.mark.parametrize(
    ("statuses", "moved_to"),
    [
        ([], None),
        ([301], "/1"),
        ([308], "/1"),
        ([302], None),
        ([303], None),
        ([307], None),
        ([301, 308, 301, 308, 301], "/5"),
        ([301, 302], "/1"),
        ([308, 307, 301], "/1"),
        ([302, 301], None),
    ],
)
def test_a_document_has_moved_to_where_permanent_redirects_lead(site: LocalHttp, fetcher, statuses, moved_to):
    result = fetcher.fetch(chain(site, *statuses))
    assert (result.body, result.url) == (b"here", site.url(f"/{len(statuses)}"))
    assert result.moved_to == (moved_to and site.url(moved_to))


def test_a_move_does_not_keep_the_fragment(site: LocalHttp, fetcher):
    site.put("/old", status=301, headers={"Location": "/new#top"})
    site.put("/new", b"here")
    assert fetcher.fetch(site.url("/old#end")).moved_to == site.url("/new")


def test_a_move_back_to_the_old_address_is_none():
    move = PermanentMove("http://press.example/feed")
    move.follow(301, httpx2.URL("http://press.example/check"))
    move.follow(301, httpx2.URL("http://press.example/feed"))
    assert move.url is None


@pytest.mark.parametrize(
    ("old", "steps", "moved_to"),
    [
        ("https://a.example/", ["http://b.example/"], None),
        ("https://a.example/", ["http://b.example/", "https://b.example/"], "https://b.example/"),
        ("https://a.example/", ["https://b.example/", "http://b.example/"], "https://b.example/"),
        ("http://a.example/", ["http://b.example/"], "http://b.example/"),
        ("http://a.example/", ["https://a.example/"], "https://a.example/"),
    ],
)
def test_a_move_never_gives_up_encryption(old, steps, moved_to):
    move = PermanentMove(old)
    for step in steps:
        move.follow(301, httpx2.URL(step))
    assert move.url == moved_to


@pytest.mark.parametrize("userinfo", ["ann:hush@", "ann@", ":hush@"])
def test_a_redirect_may_not_carry_a_password(site: LocalHttp, fetcher, userinfo):
    site.put("/old", status=301, headers={"Location": f"http://{userinfo}127.0.0.1:{site.port}/new"})
    site.put("/new", b"here")
    with pytest.raises(Forbidden, match="user name and password") as caught:
        fetcher.fetch(site.url("/old"))
    assert "hush" not in str(caught.value)
    assert [path for path, _ in site.requests] == ["/old"]


@pytest.mark.parametrize("location", ["", "//", "///", "http:", "http:///x", "\xe4", "http://xn--a/", "?" + "x" * 3000])
def test_an_odd_location_is_followed_or_refused_but_no_bug(site: LocalHttp, fetcher, location):
    url = site.put("/feed", status=301, headers={"Location": location})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is compared below
        fetcher.fetch(url)
    assert "FetchError" in [kind.__name__ for kind in type(caught.value).mro()]
