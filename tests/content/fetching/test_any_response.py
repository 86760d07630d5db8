"""Whatever a server answers: a result or a FetchError, and nothing of it makes the next request fail."""

import gzip
from datetime import UTC, datetime

import httpcore2
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import FetchResult
from newsletter.content.fetching.http import HttpFetcher
from tests.clock import NOON

PUBLIC = "93.184.215.14"
NAMES = [
    b"ETag", b"Last-Modified", b"Location", b"Content-Encoding", b"Content-Length", b"Content-Type", b"Retry-After",
    b"Set-Cookie", b"CF-Mitigated", b"Transfer-Encoding", b"X-Other",
]  # fmt: skip
VALUES = [
    b'"v1"', b"*", b"gzip", b"deflate", b"gzip, gzip", b"chunked", b"Thu, 01 Jan 1970 00:00:00 GMT", b"120", b"/next",
    b"https://press.example/", b"http://ann:hush@press.example/", b"//[", b"http://\xff/", b"text/html; charset=\xe4",
]  # fmt: skip
BODIES = [
    b"",
    b"<rss/>",
    b"<html><input type=password>",
    gzip.compress(b"<rss/>"),
    b"\x1f\x8b",
    b"\xff" * 50,
    b"5\r\nhello",
]
VALUE = st.one_of(
    st.sampled_from(VALUES),
    st.binary(max_size=30).map(lambda octets: octets.translate(None, b"\r\n\0")),
    st.datetimes().map(lambda moment: f"{moment.replace(tzinfo=UTC):%a, %d %b %Y %H:%M:%S GMT}".encode()),
)
RESPONSE = st.tuples(
    st.sampled_from([200, 200, 204, 206, 301, 302, 304, 308, 403, 410, 429, 503, 799]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUE), max_size=5),
    st.one_of(st.sampled_from(BODIES), st.binary(max_size=60)),
)
STORED = st.one_of(st.none(), st.text(max_size=30), st.binary(max_size=30).map(lambda octets: octets.decode("latin-1")))


class CannedNetwork(httpcore2.NetworkBackend):
    """A network that answers each request with the next response, and the requests after the last with a feed."""

    def __init__(self, *responses: tuple[int, list[tuple[bytes, bytes]], bytes]) -> None:
        self._responses = iter(responses)

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        status, fields, body = next(self._responses, (200, [], b"<rss/>"))
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        return CannedStream([b"HTTP/1.1 %d X\r\n" % status + head + b"\r\n" + body])


class CannedStream(httpcore2.MockStream):
    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        return self


def fetch(url: str, *responses, **validators: str | None) -> FetchResult | FetchError:
    network = CannedNetwork(*responses)
    try:
        return HttpFetcher(resolve=lambda _: [PUBLIC], network=network, now=lambda: NOON).fetch(url, **validators)
    except FetchError as error:
        return error


@settings(max_examples=60)
@given(st.lists(RESPONSE, min_size=1, max_size=3), STORED, STORED)
def test_nothing_that_a_server_sends_or_a_row_holds_makes_the_next_request_fail(responses, etag, last_modified):
    first = fetch("http://press.example/feed", *responses, etag=etag, last_modified=last_modified)
    if isinstance(first, FetchResult):
        url = first.moved_to or first.url
        again = fetch(url, etag=first.etag, last_modified=first.last_modified)
        assert isinstance(again, FetchResult)
        assert again.body == b"<rss/>"


@settings(max_examples=20)
@given(st.datetimes(min_value=datetime(1, 1, 1)), st.text(max_size=20))  # noqa: DTZ001 - hypothesis asks for that
def test_any_pause_is_bounded(moment, text):
    for value in (
        f"{moment:%a, %d %b %Y %H:%M:%S GMT}",
        f"{moment.timestamp():.0f}" if moment.year > 1970 else "0",
        text,
    ):
        refusal = fetch(
            "http://press.example/feed", (503, [(b"Retry-After", value.encode().translate(None, b"\r\n\0"))], b"")
        )
        assert isinstance(refusal, FetchError)
