"""Responses that bring no document: the words for an operator, and the pause that the server asks for."""

import gzip
import itertools
from datetime import timedelta

import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.destinations import FetchError, ServerUnavailable
from newsletter.content.fetching.http import HttpFetcher
from tests.clock import NOON
from tests.local_http import LocalHttp

ROBOT_CHECK = "It shows a check for robots in place of the feed. Ask the publisher to let this service read the feed."


@pytest.fixture
def fetcher() -> HttpFetcher:
    return HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")], seconds=1, now=lambda: NOON)


def refusal(fetcher: HttpFetcher, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url)
    return caught.value


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (204, "The server answered 204 No Content."),
        (401, "The server answered 401 Unauthorized. It asks for a login; only public feeds can be read."),
        (403, "The server answered 403 Forbidden. It refuses this service. Ask the publisher to let it read the feed."),
        (429, "The server answered 429 Too Many Requests. It asks for longer pauses."),
        (500, "The server answered 500 Internal Server Error."),
    ],
)
def test_a_refusal_says_what_an_operator_can_do(site: LocalHttp, fetcher, status, told):
    assert str(refusal(fetcher, site.put("/feed", status=status))) == told


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Sat, 14 Mar 2026 13:00:00 GMT", timedelta(hours=1)),
        ("Sat, 14 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("99999999999999", timedelta(days=1)),
        ("Sun, 14 Mar 2027 12:00:00 GMT", timedelta(days=1)),
        ("-5", None),
        ("soon", None),
        ("\xb2", None),
        ("", None),
    ],
)
def test_the_pause_that_a_server_asks_for_is_known(site: LocalHttp, fetcher, status, value, pause):
    url = site.put("/feed", status=status, headers={"Retry-After": value})
    assert refusal(fetcher, url).retry_after == pause


@pytest.mark.parametrize(
    ("status", "is_temporary"), [(408, True), (429, True), (503, True), (403, False), (404, False)]
)
def test_a_refusal_tells_whether_a_later_try_may_succeed(site: LocalHttp, fetcher, status, is_temporary):
    assert isinstance(refusal(fetcher, site.put("/feed", status=status)), ServerUnavailable) == is_temporary


def test_a_feed_that_is_gone_is_asked_once_a_week(site: LocalHttp, fetcher):
    gone = refusal(fetcher, site.put("/feed", status=410))
    assert gone.retry_after == timedelta(days=7)
    assert str(gone).startswith("The server answered 410 Gone. Its publisher has ended it.")


@pytest.mark.parametrize("status", [200, 202, 403, 405, 503])
@pytest.mark.parametrize("name", ["CF-Mitigated", "X-Amzn-Waf-Action", "SG-Captcha", "X-Vercel-Mitigated"])
def test_a_check_for_robots_is_known_by_its_mark(site: LocalHttp, fetcher, status, name):
    url = site.put("/feed", b"<html>...", status=status, headers={name: "challenge"})
    assert str(refusal(fetcher, url)).endswith(ROBOT_CHECK)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_check_for_robots_is_known_by_its_page(site: LocalHttp, fetcher, coding):
    page = b"<!DOCTYPE html><html><title>Just a moment...</title><body></body></html>"
    body = gzip.compress(page) if coding else page
    url = site.put("/feed", body, status=403, headers={"Content-Encoding": coding})
    assert str(refusal(fetcher, url)) == f"The server answered 403 Forbidden. {ROBOT_CHECK}"


def test_a_login_page_with_an_error_is_called_that(site: LocalHttp, fetcher):
    url = site.put("/feed", b"<html><form><input type=password></form></html>", status=403)
    assert "403 Forbidden. It shows a login page" in str(refusal(fetcher, url))


@pytest.mark.parametrize(
    "reply",
    [
        {"body": b"no gzip", "headers": {"Content-Encoding": "gzip"}},
        {"body": b"x", "headers": {"Content-Encoding": "gzip, gzip"}},
        {"body": b"<html>" * 1_000_000},
        {"body": itertools.repeat(b"x"), "pause": 0.3},
        {"body": gzip.compress(b"<html>" * 1_000_000), "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=["broken", "twice", "large", "slow", "zeros"],
)
def test_an_error_page_that_cannot_be_read_leaves_the_status(site: LocalHttp, fetcher, reply):
    assert str(refusal(fetcher, site.put("/feed", status=404, **reply))) == "The server answered 404 Not Found."
