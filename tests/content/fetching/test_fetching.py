"""The HTTP fetcher: its limits, its errors, and no way into the private network."""

import gzip
import itertools
import ssl
import zlib
from time import monotonic

import httpcore2
import pytest

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching import connection_failures
from newsletter.content.fetching.destinations import FetchError, Forbidden, ServerUnavailable
from newsletter.content.fetching.fetcher import FetchResult
from newsletter.content.fetching.http import USER_AGENT, HttpFetcher, user_agent
from tests.local_http import LocalHttp
from tests.waiting import TIMEOUT

PUBLIC = "93.184.215.14"
MEGABYTE = b"x" * 1_000_000
MONDAY = "Mon, 02 Mar 2026 10:00:00 GMT"


@pytest.fixture
def fetcher() -> HttpFetcher:
    return HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")], agent="tests")


def refusal(fetcher: HttpFetcher, url: str, **options) -> str:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(url, **options)
    return str(caught.value)


def test_a_fetch_returns_the_body_and_the_validators(site: LocalHttp, fetcher):
    url = site.put("/feed", b"<rss/>", etag='"one"', headers={"Content-Type": "text/xml", "Last-Modified": MONDAY})
    assert fetcher.fetch(url) == FetchResult(
        url=url, body=b"<rss/>", content_type="text/xml", etag='"one"', last_modified=MONDAY
    )


def test_validators_make_the_request_conditional(site: LocalHttp, fetcher):
    url = site.put("/feed", b"<rss/>", etag='"one"')
    again = fetcher.fetch(url, etag='"one"', last_modified=MONDAY)
    assert again.body is None
    assert again.etag == '"one"'
    assert site.requests[-1][1]["if-modified-since"] == MONDAY


def test_a_304_to_an_unconditional_request_is_an_error(site: LocalHttp, fetcher):
    assert "304" in refusal(fetcher, site.put("/feed", status=304))


@pytest.mark.parametrize(("status", "named"), [(404, "404 Not Found"), (503, "503 Service Unavailable"), (799, "799")])
def test_an_error_names_the_status(site: LocalHttp, fetcher, status, named):
    assert refusal(fetcher, site.put("/feed", status=status)) == f"The server answered {named}."


def test_a_failed_connection_is_explained_without_words_of_the_libraries(site: LocalHttp, fetcher):
    assert refusal(fetcher, site.url("/feed").replace("http:", "https:")) == (
        "The server could not be reached: no encrypted connection is possible (wrong version number). "
        "Is the address one with http://?"
    )
    refused = httpcore2.ConnectError("[Errno 111] Connection refused")
    refused.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert connection_failures.explain(refused) == "the connection was refused: no server listens on this port."
    untrusted = ssl.SSLCertVerificationError(1, "certificate verify failed (_ssl.c:1006)")
    untrusted.verify_message = "certificate has expired"
    assert connection_failures.explain(untrusted) == ("its certificate cannot be trusted (certificate has expired).")


def test_a_redirect_is_followed_and_the_final_url_returned(site: LocalHttp, fetcher):
    site.put("/old", status=301, headers={"Location": "/new"})
    url = site.put("/new", b"here")
    assert fetcher.fetch(site.url("/old")) == FetchResult(url=url, moved_to=url, body=b"here")


def test_a_redirect_loop_ends(site: LocalHttp, fetcher):
    url = site.put("/loop", status=302, headers={"Location": "/loop"})
    assert refusal(fetcher, url) == "The URL redirects more than 5 times."
    assert len(site.requests) == 6


def test_a_redirect_without_a_valid_location_is_an_error(site: LocalHttp, fetcher):
    told = "The server answered 302 Found. It redirects to no address that can be followed."
    assert refusal(fetcher, site.put("/feed", status=302)) == told
    assert refusal(fetcher, site.put("/feed", status=302, headers={"Location": "http://[:::"})) == told


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"ICY 200 <b>OK</b>\r\n\r\n", "illegal status line"),
        (b"HTTP/1.1 200 OK\r\n<b>\r\n\r\n", "illegal header line"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<b>\r\n", "illegal chunk header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<b>", "peer closed connection without sending complete"),
        (b"", "Server disconnected without sending a response"),
    ],
)
def test_what_is_no_http_is_named_without_its_words(octets, told):
    fetcher = HttpFetcher(resolve=lambda _: [PUBLIC], network=RecordingNetwork(octets))
    with pytest.raises(ServerUnavailable) as caught:
        fetcher.fetch("http://press.example/")
    assert str(caught.value).startswith(f"The server sent no valid HTTP response: {told}")
    assert "<b>" not in str(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/", "gopher://127.0.0.1/"])
def test_only_http_is_fetched_even_after_a_redirect(site: LocalHttp, fetcher, target):
    with pytest.raises(Forbidden):
        fetcher.fetch(target)
    with pytest.raises(Forbidden):
        fetcher.fetch(site.put("/feed", status=302, headers={"Location": target}))


def test_cookies_are_not_sent(site: LocalHttp, fetcher):
    site.put("/first", status=302, headers={"Location": "/second", "Set-Cookie": "id=1; Path=/"})
    site.put("/second", b"here")
    fetcher.fetch(site.url("/first"))
    assert [headers.get("cookie") for _, headers in site.requests] == [None, None]


def test_the_user_agent_is_sent(site: LocalHttp, fetcher):
    fetcher.fetch(site.put("/feed", b"here"))
    assert site.requests[0][1]["user-agent"] == "tests"


def test_the_user_agent_tells_publishers_whose_it_is():
    assert user_agent("https://letters.example") == (
        "newsletter (+https://letters.example; fetches feeds for a newsletter; asks at most every few minutes)"
    )
    assert user_agent("http://localhost:8000") == user_agent("https://m\xfcnchen.example") == USER_AGENT


def test_proxies_of_the_environment_are_not_used(site: LocalHttp, fetcher, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert fetcher.fetch(site.put("/feed", b"here")).body == b"here"


def test_gzip_is_decompressed(site: LocalHttp, fetcher):
    url = site.put("/feed", gzip.compress(b"here"), headers={"Content-Encoding": "gzip"})
    assert fetcher.fetch(url).body == b"here"


def test_invalid_gzip_is_an_error(site: LocalHttp, fetcher):
    url = site.put("/feed", b"no gzip", headers={"Content-Encoding": "gzip"})
    assert refusal(fetcher, url) == "The response cannot be decompressed: the server says that it is gzip."


def test_a_body_over_five_megabytes_is_refused_with_or_without_a_content_length(site: LocalHttp, fetcher):
    announced = site.put("/announced", MEGABYTE * 10, headers={"Content-Length": "10000000"})
    unannounced = site.put("/unannounced", itertools.repeat(MEGABYTE, 10))
    assert refusal(fetcher, announced) == refusal(fetcher, unannounced) == "The response is larger than 5 MB."


def test_decompression_stops_at_the_limit(site: LocalHttp, fetcher):
    assembler = zlib.compressobj(9, wbits=31)
    bomb = b"".join(assembler.compress(MEGABYTE) for _ in range(100)) + assembler.flush()
    before = monotonic()
    assert "5 MB" in refusal(fetcher, site.put("/feed", bomb, headers={"Content-Encoding": "gzip"}))
    assert len(bomb) < 110_000
    assert monotonic() - before < TIMEOUT


def test_a_body_of_exactly_the_limit_is_accepted(site: LocalHttp, fetcher):
    url = site.put("/feed", b"12345")
    assert fetcher.fetch(url, limit=5).body == b"12345"
    assert "larger" in refusal(fetcher, url, limit=4)


def test_a_slow_server_cannot_exceed_the_deadline(site: LocalHttp):
    fetcher = HttpFetcher(allow=[AllowedHost.parse("127.0.0.1")], seconds=0.3)
    url = site.put("/feed", itertools.repeat(b"x"), pause=0.02)
    before = monotonic()
    assert refusal(fetcher, url) == "The server sent no complete response within 0.3 seconds."
    assert monotonic() - before < TIMEOUT


def test_a_silent_name_server_cannot_exceed_the_deadline(site: LocalHttp):
    def silent(host: str) -> list[str]:
        site.ending.wait()
        return []

    before = monotonic()
    assert "name server" in refusal(HttpFetcher(seconds=0.2, resolve=silent), "http://slow.example/")
    assert monotonic() - before < TIMEOUT


def test_a_closed_port_is_an_error_with_the_reason(fetcher):
    assert "refused" in refusal(fetcher, "http://127.0.0.1:1/feed")


@pytest.mark.parametrize(
    "url",
    ["", "feed.xml", "http://", "http://[1/", "http://a b/", "http://0177.0.0.1/", f"http://{'a' * 70}.example/"],
)
def test_a_malformed_url_is_an_error(fetcher, url):
    assert refusal(fetcher, url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "localhost",
        "0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:10.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
    ],
)
def test_no_url_reaches_the_private_network(site: LocalHttp, host):
    site.put("/feed", b"secret")
    with pytest.raises(Forbidden, match="not a public address"):
        HttpFetcher().fetch(f"http://{host}/feed")
    with pytest.raises(Forbidden, match="not a public address"):
        HttpFetcher().fetch(f"http://{host}:{site.port}/feed")
    assert site.requests == []


def test_no_redirect_reaches_the_private_network(site: LocalHttp, fetcher):
    url = site.put("/feed", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})
    with pytest.raises(Forbidden, match=r"^169\.254\.169\.254 is not a public address"):
        fetcher.fetch(url)


class RecordingNetwork(httpcore2.NetworkBackend):
    """A network that gives every connection the same response and records the connections and what was written."""

    def __init__(self, response: bytes = b"HTTP/1.1 200 OK\r\n\r\nhere") -> None:
        self.response = response
        self.connections: list[tuple[str, int]] = []
        self.certificates: list[str] = []
        self.written = b""

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.connections.append((host, port))
        return RecordedStream(self)


class RecordedStream(httpcore2.MockStream):
    def __init__(self, recorder: RecordingNetwork) -> None:
        super().__init__([recorder.response])
        self.recorder = recorder

    def write(self, buffer, timeout=None):
        self.recorder.written += buffer

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        self.recorder.certificates.append(server_hostname)
        return self


def test_a_name_is_resolved_once_per_fetch():
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    network = RecordingNetwork()
    fetcher = HttpFetcher(resolve=lambda _: next(answers), network=network)
    assert fetcher.fetch("http://rebinding.example/feed").body == b"here"
    assert network.connections == [(PUBLIC, 80)]
    with pytest.raises(Forbidden):
        fetcher.fetch("http://rebinding.example/feed")
    assert network.connections == [(PUBLIC, 80)]


def test_tls_and_the_host_header_use_the_name_although_the_connection_uses_the_address():
    network = RecordingNetwork()
    HttpFetcher(resolve=lambda _: [PUBLIC], network=network).fetch("https://news.example/feed")
    assert (network.connections, network.certificates) == ([(PUBLIC, 443)], ["news.example"])
    assert b"\r\nHost: news.example\r\n" in network.written


def test_one_private_address_among_public_ones_spoils_the_name():
    network = RecordingNetwork()
    fetcher = HttpFetcher(resolve=lambda _: [PUBLIC, "10.0.0.1"], network=network)
    with pytest.raises(Forbidden):
        fetcher.fetch("http://mixed.example/feed")
    assert network.connections == []


def test_other_ports_of_public_hosts_stay_closed():
    network = RecordingNetwork()
    fetcher = HttpFetcher(resolve=lambda _: [PUBLIC], network=network)
    with pytest.raises(Forbidden, match="Port 25"):
        fetcher.fetch("http://mail.example:25/")
    fetcher.fetch("https://news.example/feed")
    assert network.connections == [(PUBLIC, 443)]


def test_the_second_address_is_tried_when_the_first_does_not_answer(site: LocalHttp):
    site.put("/feed", b"here")
    fetcher = HttpFetcher(allow=[AllowedHost.parse("news.internal")], resolve=lambda _: ["::1", "127.0.0.1"])
    assert fetcher.fetch(site.url("/feed", host="news.internal")).body == b"here"
    assert site.requests[0][1]["host"] == f"news.internal:{site.port}"


def test_an_address_that_never_answers_leaves_time_for_the_next():
    network = RecordingNetwork()
    addresses = ["2606:4700::1", PUBLIC]

    class HalfDead(httpcore2.NetworkBackend):
        def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
            if host == PUBLIC:
                return network.connect_tcp(host, port)
            assert timeout < 6
            raise httpcore2.ConnectTimeout

    assert HttpFetcher(resolve=lambda _: addresses, network=HalfDead()).fetch("http://press.example/").body == b"here"
