"""httpx connections that reach only permitted addresses and obey one deadline."""

import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore2
import httpx2

from newsletter.content.fetching.destinations import Guard
from newsletter.content.fetching.fair_clock import fair_seconds


class Deadline:
    """The end of the whole exchange, so that a slow server cannot prolong it byte by byte.

    The time that this thread waits for a processor does not count: our machine may be overloaded. A deadline belongs to
    the thread that made it.
    """

    def __init__(self, seconds: float) -> None:
        self._end = fair_seconds() + seconds

    def left(self) -> float:
        """Return the seconds left. Raises httpcore2.ReadTimeout if there are none."""
        left = self._end - fair_seconds()
        if left <= 0:
            raise httpcore2.ReadTimeout("the deadline has passed")
        return left


class TimedStream(httpcore2.NetworkStream):
    """A connection that ignores each operation's own timeout and uses the time left until the deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read at most `max_bytes`."""
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write the whole buffer."""
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Start TLS; the certificate must match the URL's host name, although the connection goes to an address."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """Return a detail of the underlying connection."""
        return self._stream.get_extra_info(info)


class GuardedNetwork(httpcore2.NetworkBackend):
    """A network backend that resolves, checks and connects in one step, for the request and for every redirect."""

    def __init__(self, guard: Guard, network: httpcore2.NetworkBackend, deadline: Deadline) -> None:
        self._guard = guard
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of the host that answers. Raises Forbidden if any address is not permitted.

        Each address has a fair share of the time that is left: a host may publish one that never answers.
        """
        failure: Exception = httpcore2.ConnectError("no address")
        addresses = self._guard.addresses(host, port, seconds=self._deadline.left())
        for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            seconds = self._deadline.left() / untried
            try:
                stream = self._network.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(stream, self._deadline)
        raise failure


class GuardedTransport(httpx2.BaseTransport):
    """An httpx transport over guarded connections: one exchange, redirects included, within `seconds`."""

    def __init__(self, guard: Guard, network: httpcore2.NetworkBackend, tls: ssl.SSLContext, *, seconds: float) -> None:
        backend = GuardedNetwork(guard, network, Deadline(seconds))
        self._pool = httpcore2.ConnectionPool(ssl_context=tls, network_backend=backend, max_keepalive_connections=0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request over a new connection."""
        url = request.url
        response = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    """A response's body as a stream."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
