"""Validators: kept as they came, and sent back only if they can neither break nor mislead the next request."""

from datetime import timedelta

import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching import validators
from newsletter.content.fetching.http import HttpFetcher
from tests.clock import NOON
from tests.local_http import LocalHttp

SUNDAY = "Sun, 01 Mar 2026 10:00:00 GMT"


@pytest.fixture
def fetcher() -> HttpFetcher:
    return HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")], now=lambda: NOON)


def sent(site: LocalHttp) -> dict[str, str]:
    """Return the conditions of the last request, each byte as one character."""
    return {name: value for name, value in site.requests[-1][1].items() if name.startswith("if-")}


@pytest.mark.parametrize(
    "etag",
    ['"v1"', 'W/"v1"', "v1", '"a, b"', '"v1-\xe4\xff"', '"\xc3\xa4"', 'W/"\x80"', "abc=", '"' + "x" * 990 + '"'],
)
def test_an_etag_is_sent_back_byte_for_byte(site: LocalHttp, fetcher, etag):
    url = site.put("/feed", b"here", headers={"ETag": etag, "X-Other": "\xe4"})
    first = fetcher.fetch(url)
    assert fetcher.fetch(url, etag=first.etag).body == b"here"
    assert sent(site) == {"if-none-match": etag}


@pytest.mark.parametrize("etag", ["*", '""', 'W/""', "", '"a", "b"', '"open', "a, *", '"' + "x" * 1000 + '"'])
def test_an_etag_that_matches_more_than_one_version_is_not_sent(site: LocalHttp, fetcher, etag):
    url = site.put("/feed", b"here", headers={"ETag": etag})
    first = fetcher.fetch(url)
    assert fetcher.fetch(url, etag=first.etag).body == b"here"
    assert sent(site) == {}


@pytest.mark.parametrize("stored", ['"\u2013"', '"a\r\nX-Evil: 1"', '"\x00"', "\ud800", '"\x7f"', '"\t"'])
def test_a_stored_validator_that_cannot_be_sent_does_not_stop_the_feed(site: LocalHttp, fetcher, stored):
    url = site.put("/feed", b"here")
    assert fetcher.fetch(url, etag=stored, last_modified=stored).body == b"here"
    assert sent(site) == {}


@pytest.mark.parametrize(
    "date", [SUNDAY, "Sunday, 01-Mar-26 10:00:00 GMT", "Sun Mar  1 10:00:00 2026", "Sat, 14 Mar 2026 12:04:00 GMT"]
)
def test_a_date_in_each_form_of_http_is_sent_back(site: LocalHttp, fetcher, date):
    url = site.put("/feed", b"here", headers={"Last-Modified": date})
    fetcher.fetch(url, last_modified=fetcher.fetch(url).last_modified)
    assert sent(site) == {"if-modified-since": date}


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 01 Jan 1980 00:00:00 GMT",
        "Sun, 14 Mar 2027 12:00:00 GMT",
        "Sat, 14 Mar 2026 13:00:00 GMT",
        "Tue, 19 Jan 2038 03:14:07 GMT",
        "Sun, 01 Mar 2026",
        "Sun, 99 Mar 2026 10:00:00 GMT",
        "2026-03-01T10:00:00Z",
        "1772359200",
        "yesterday",
        "Sön, 01 Mar 2026 10:00:00 GMT",
    ],
)
def test_a_date_that_cannot_be_the_document_s_is_not_sent(site: LocalHttp, fetcher, date):
    url = site.put("/feed", b"here", headers={"Last-Modified": date})
    assert fetcher.fetch(url, last_modified=fetcher.fetch(url).last_modified).body == b"here"
    assert sent(site) == {}


def test_a_304_brings_its_own_validators(site: LocalHttp, fetcher):
    url = site.put("/feed", status=304, headers={"ETag": '"v2"', "Last-Modified": SUNDAY})
    again = fetcher.fetch(url, etag='"v1"')
    assert (again.body, again.etag, again.last_modified) == (None, '"v2"', SUNDAY)


def test_a_304_to_a_request_whose_validators_were_dropped_is_an_error(site: LocalHttp, fetcher):
    url = site.put("/feed", status=304)
    with pytest.raises(Exception, match=r"304 Not Modified\. It was asked for the whole document"):
        fetcher.fetch(url, etag="*", last_modified="yesterday")


def test_a_field_that_is_sent_twice_with_different_values_is_dropped():
    assert validators.received([b'"a"', b'"a"']) == '"a"'
    assert validators.received([b'"a"', b'"b"']) is None
    assert validators.received([]) is None


def test_a_server_s_clock_may_be_a_little_ahead_of_ours():
    ahead = validators.conditions(None, SUNDAY, now=NOON.replace(day=1, hour=9, minute=56))
    assert ahead == [(b"If-Modified-Since", SUNDAY.encode())]
    assert validators.conditions(None, SUNDAY, now=NOON.replace(day=1, hour=10) - timedelta(minutes=6)) == []
