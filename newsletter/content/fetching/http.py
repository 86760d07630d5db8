"""A fetcher over HTTP: one bounded GET of an untrusted URL.

Limits: permitted destinations only, 10 seconds in all, 5 MB before and after decompression, one content coding, 5
redirects. Nothing is kept from one fetch to the next: no cookies and no open connections. Proxies from the environment
are ignored.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from urllib.parse import urlsplit

import httpcore2
import httpx2

from newsletter import clock
from newsletter.allowed_hosts import AllowedHost
from newsletter.content.fetching import connection_failures, content_codings, validators
from newsletter.content.fetching.connections import GuardedTransport
from newsletter.content.fetching.destinations import FetchError, Forbidden, Guard, Resolve, ServerUnavailable, resolve
from newsletter.content.fetching.fetcher import MAX_BYTES, FetchResult
from newsletter.content.fetching.redirects import PermanentMove, check_redirect
from newsletter.content.fetching.refusals import is_robot_check, refusal

MAX_SECONDS = 10.0
MAX_REDIRECTS = 5
MAX_REFUSAL_BYTES = 100_000  # of an error page that are read to explain the error
USER_AGENT = "newsletter (fetches feeds for a newsletter; asks at most every few minutes)"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

TIMEOUTS = (httpx2.TimeoutException, httpcore2.TimeoutException)
FAILURES = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)
BROKEN = (httpx2.ProtocolError, httpcore2.ProtocolError)
INVALID = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpcore2.UnsupportedProtocol)


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
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._guard = Guard(allow, resolve=resolve)
        self._headers = {"User-Agent": agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        self._seconds = seconds
        self._network = network or httpcore2.SyncBackend()
        self._now = now

    def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, limit: int = MAX_BYTES
    ) -> FetchResult:
        """GET the URL, conditionally if validators are given (RFC 9110 section 13). Raises FetchError."""
        conditions = validators.conditions(etag, last_modified, now=self._now())
        with self._explained(), self._client() as client:
            request, move = client.build_request("GET", url, headers=conditions), PermanentMove(url)
            for _ in range(MAX_REDIRECTS + 1):
                if request.url.scheme not in ("http", "https"):
                    raise Forbidden("Only http and https URLs can be fetched.")
                response = client.send(request, stream=True)
                if not response.next_request:
                    return self._result(response, move, limit=limit, is_conditional=bool(conditions))
                response.close()
                request = response.next_request
                check_redirect(request.url)
                move.follow(response.status_code, request.url)
        raise FetchError(f"The URL redirects more than {MAX_REDIRECTS} times.")

    def _result(
        self, response: httpx2.Response, move: PermanentMove, *, limit: int, is_conditional: bool
    ) -> FetchResult:
        """Read the response. Raises FetchError unless it brings a document within the limit, or an expected 304."""
        status, headers, url = response.status_code, response.headers, str(response.url)
        is_unchanged = status == 304 and is_conditional
        if is_robot_check(headers) or not (status == 200 or is_unchanged):
            raise refusal(status, headers, _page(response), url=url, now=self._now())
        raw = response.headers.raw
        return FetchResult(
            url=url,
            moved_to=move.url,
            body=None if is_unchanged else _body(response, limit),
            content_type=headers.get("Content-Type", ""),
            etag=validators.received(value for name, value in raw if name.lower() == b"etag"),
            last_modified=validators.received(value for name, value in raw if name.lower() == b"last-modified"),
        )

    def _client(self) -> httpx2.Client:
        transport = GuardedTransport(self._guard, self._network, tls_context(), seconds=self._seconds)
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
        except BROKEN as error:  # behind a colon, the HTTP library quotes what the server sent
            reason = str(error).partition(":")[0].rstrip(".")
            raise ServerUnavailable(f"The server sent no valid HTTP response: {reason}.") from error
        except FAILURES as error:
            kind = FetchError if isinstance(error, INVALID) else ServerUnavailable
            raise kind(f"The server could not be reached: {connection_failures.explain(error)}") from error


def user_agent(site: str) -> str:
    """Return the name under which this service asks. It holds the service's own URL, so publishers learn whose it is.

    An address that only this machine knows tells publishers nothing, and a header field holds only ASCII.
    """
    is_known = site.isascii() and (urlsplit(site).hostname or "localhost") not in LOCAL_HOSTS
    return USER_AGENT.replace("(", f"(+{site}; ", 1) if is_known else USER_AGENT


@cache
def tls_context() -> SSLContext:
    """Load the CA certificates on first use: it takes tens of milliseconds that most processes do not need."""
    return httpx2.create_ssl_context(trust_env=False)


def _body(response: httpx2.Response, limit: int) -> bytes:
    """Return the decompressed body. Raises FetchError if it is empty, or larger than the limit in either form."""
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    coding = content_codings.named(response.headers.get_list("Content-Encoding"))
    body = b"".join(_bounded(content_codings.decompressed(_bounded(response.iter_raw(), limit), coding), limit))
    if not body:
        raise FetchError("The server sent an empty document.")
    return body


def _bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the chunks. Raises FetchError as soon as they exceed the limit."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk


def _page(response: httpx2.Response) -> str:
    """Return the beginning of an error page as far as it can be read, to explain the error."""
    page = bytearray()
    with suppress(FetchError, *TIMEOUTS, *FAILURES):
        coding = content_codings.named(response.headers.get_list("Content-Encoding"))
        for piece in content_codings.decompressed(_bounded(response.iter_raw(), MAX_REFUSAL_BYTES), coding):
            page += piece
            if len(page) > MAX_REFUSAL_BYTES:
                break
    return page.decode("utf-8", "replace")


def _too_large(limit: int) -> FetchError:
    return FetchError(f"The response is larger than {limit / 1e6:g} MB.")
