"""Fetching: one polite, bounded HTTP GET of an address that a stranger chose.

Bounded in every direction: where it goes (destinations), 10 seconds in all, 5 MB after decompression, 3 redirects.
Nothing is carried over from one fetch to the next: no cookies, no proxies from the environment, no open connections.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext

import httpcore2
import httpx2

from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching.connections import GuardedTransport
from newsletter.content.fetching.destinations import FetchError, Forbidden, Guard, Resolve, resolve
from newsletter.content.fetching.fetcher import MAX_BYTES, FetchResult

MAX_SECONDS = 10.0
MAX_REDIRECTS = 3
MAX_VALIDATOR = 1000  # characters of an ETag worth keeping
AGENT = "newsletter (fetches feeds for a newsletter; asks at most every few minutes)"

TIMEOUTS = (httpx2.TimeoutException, httpcore2.TimeoutException)
FAILURES = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


class HttpFetcher:
    """A fetcher that asks the Internet. `allow` names private hosts or networks that it may ask as well.

    It keeps nothing between fetches but its rules, so any number of threads may use one.
    """

    def __init__(
        self,
        *,
        allow: Collection[AllowedHost] = (),
        agent: str = AGENT,
        seconds: float = MAX_SECONDS,
        resolve: Resolve = resolve,
        network: httpcore2.NetworkBackend | None = None,
    ) -> None:
        self._guard = Guard(allow, resolve=resolve)
        self._headers = {"User-Agent": agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        self._seconds = seconds
        self._network = network or httpcore2.SyncBackend()

    def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, limit: int = MAX_BYTES
    ) -> FetchResult:
        """GET the address, conditionally if validators are given (RFC 9110 section 13). Raises FetchError."""
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in validators.items() if value}
        with self._explained(), self._client() as client:
            request = client.build_request("GET", url, headers=headers)
            for _ in range(MAX_REDIRECTS + 1):
                if request.url.scheme not in ("http", "https"):
                    raise Forbidden("Only http and https addresses can be fetched.")
                response = client.send(request, stream=True)
                if not response.next_request:
                    return _read(response, limit=limit, conditional=bool(headers))
                response.close()
                request = response.next_request
        raise FetchError(f"It redirects more than {MAX_REDIRECTS} times.")

    def _client(self) -> httpx2.Client:
        transport = GuardedTransport(self._guard, self._network, _trust(), seconds=self._seconds)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        return httpx2.Client(transport=transport, headers=self._headers, cookies=no_cookies, trust_env=False)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the HTTP library raises into a reason for an operator."""
        try:
            yield
        except TIMEOUTS as error:
            raise FetchError(f"No complete answer came within {self._seconds:g} seconds.") from error
        except httpx2.DecodingError as error:
            raise FetchError("What came cannot be decompressed.") from error
        except FAILURES as error:
            raise FetchError(f"It could not be reached: {error}") from error


@cache
def _trust() -> SSLContext:
    """Whom this machine trusts. Reading that takes tens of milliseconds, so a process that fetches nothing does not."""
    return httpx2.create_ssl_context(trust_env=False)


def _read(response: httpx2.Response, *, limit: int, conditional: bool) -> FetchResult:
    """Take in the response. Raises FetchError unless it is a good one of at most `limit` bytes."""
    status, headers = response.status_code, response.headers
    if status not in (200, 304) or (status == 304 and not conditional):
        raise FetchError(f"The server answered {_named(status)}.")
    declared = headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise FetchError(f"It is larger than {limit / 1e6:g} MB.")
    return FetchResult(
        url=str(response.url),
        body=_bounded(response.iter_bytes(), limit) if status == 200 else None,
        content_type=headers.get("Content-Type", ""),
        etag=_validator(headers.get("ETag")),
        last_modified=_validator(headers.get("Last-Modified")),
    )


def _bounded(chunks: Iterable[bytes], limit: int) -> bytes:
    """Join the chunks, which are already decompressed; stop reading as soon as they are too much."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise FetchError(f"It is larger than {limit / 1e6:g} MB.")
    return bytes(body)


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_VALIDATOR else None


def _named(status: int) -> str:
    """`404 Not Found`. The server's own phrase is a stranger's text, so it is not repeated."""
    phrase = httpx2.codes.get_reason_phrase(status)
    return f"{status} {phrase}".rstrip()
