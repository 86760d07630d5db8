"""A fetcher over HTTP: one bounded GET of an untrusted URL.

Limits: permitted destinations only, 10 seconds in all, 5 MB after decompression, 3 redirects. Nothing is kept from one
fetch to the next: no cookies and no open connections. Proxies from the environment are ignored.
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
from newsletter.content.fetching.destinations import FetchError, Forbidden, Guard, Resolve, ServerUnavailable, resolve
from newsletter.content.fetching.fetcher import MAX_BYTES, FetchResult

MAX_SECONDS = 10.0
MAX_REDIRECTS = 3
MAX_VALIDATOR = 1000  # characters of an ETag or a date that is stored
USER_AGENT = "newsletter (fetches feeds for a newsletter; asks at most every few minutes)"

TIMEOUTS = (httpx2.TimeoutException, httpcore2.TimeoutException)
FAILURES = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)
INVALID = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpcore2.UnsupportedProtocol)
TEMPORARY = (408, 425, 429)  # and all of the class 5xx


class HttpFetcher:
    """A fetcher over HTTP. `allow` lists private hosts or networks that it may reach besides public addresses.

    It keeps no state between fetches, so any number of threads may share one.
    """

    def __init__(
        self,
        *,
        allow: Collection[AllowedHost] = (),
        agent: str = USER_AGENT,
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
        """GET the URL, conditionally if validators are given (RFC 9110 section 13). Raises FetchError."""
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in validators.items() if value}
        with self._explained(), self._client() as client:
            request = client.build_request("GET", url, headers=headers)
            for _ in range(MAX_REDIRECTS + 1):
                if request.url.scheme not in ("http", "https"):
                    raise Forbidden("Only http and https URLs can be fetched.")
                response = client.send(request, stream=True)
                if not response.next_request:
                    return _result(response, limit=limit, conditional=bool(headers))
                response.close()
                request = response.next_request
        raise FetchError(f"The URL redirects more than {MAX_REDIRECTS} times.")

    def _client(self) -> httpx2.Client:
        transport = GuardedTransport(self._guard, self._network, _tls_context(), seconds=self._seconds)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        return httpx2.Client(transport=transport, headers=self._headers, cookies=no_cookies, trust_env=False)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Translate the HTTP library's errors into a FetchError that an operator understands."""
        try:
            yield
        except TIMEOUTS as error:
            raise ServerUnavailable(
                f"The server sent no complete response within {self._seconds:g} seconds."
            ) from error
        except httpx2.DecodingError as error:
            raise FetchError("The response cannot be decompressed.") from error
        except FAILURES as error:
            kind = FetchError if isinstance(error, INVALID) else ServerUnavailable
            raise kind(f"The server could not be reached: {error}") from error


@cache
def _tls_context() -> SSLContext:
    """Load the CA certificates on first use: it takes tens of milliseconds that most processes do not need."""
    return httpx2.create_ssl_context(trust_env=False)


def _result(response: httpx2.Response, *, limit: int, conditional: bool) -> FetchResult:
    """Read the response. Raises FetchError unless its status is good and its body has at most `limit` bytes."""
    status, headers = response.status_code, response.headers
    if status not in (200, 304) or (status == 304 and not conditional):
        kind = ServerUnavailable if status in TEMPORARY or status >= 500 else FetchError
        raise kind(f"The server answered {_with_phrase(status)}.")
    declared = headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    return FetchResult(
        url=str(response.url),
        body=_bounded(response.iter_bytes(), limit) if status == 200 else None,
        content_type=headers.get("Content-Type", ""),
        etag=_validator(headers.get("ETag")),
        last_modified=_validator(headers.get("Last-Modified")),
    )


def _bounded(chunks: Iterable[bytes], limit: int) -> bytes:
    """Join the decompressed chunks; stop reading as soon as they exceed the limit."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> FetchError:
    return FetchError(f"The response is larger than {limit / 1e6:g} MB.")


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_VALIDATOR else None


def _with_phrase(status: int) -> str:
    """Return, for example, `404 Not Found`, with the standard phrase: the server's own is untrusted text."""
    phrase = httpx2.codes.get_reason_phrase(status)
    return f"{status} {phrase}".rstrip()
