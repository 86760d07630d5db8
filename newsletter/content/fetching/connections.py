"""Connections that go to permitted addresses only, and end in time."""

import ssl
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any

import httpcore2
import httpx2

from newsletter.content.fetching.destinations import Guard


class Deadline:
    """When the whole exchange must be over, by the monotonic clock: a byte a second does not keep it open."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises httpcore2's timeout when there are none."""
        left = self._end - monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time is up")
        return left


class TimedStream(httpcore2.NetworkStream):
    """A connection whose every operation gets the time that is left in all, whatever time it was meant to have."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it all."""
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Encrypt; the certificate must be the one of the name in the URL, although we connect to a number."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows about itself."""
        return self._stream.get_extra_info(info)


class GuardedNetwork(httpcore2.NetworkBackend):
    """Resolves, checks and connects in one place, for the first request and for every redirect."""

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
        """Connect to the first of the host's addresses that answers. Raises Forbidden if any is not permitted."""
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._guard.addresses(host, port, seconds=self._deadline.left()):
            try:
                stream = self._network.connect_tcp(
                    str(address), port, self._deadline.left(), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(stream, self._deadline)
        raise failure


class GuardedTransport(httpx2.BaseTransport):
    """httpx over guarded connections: one exchange, redirects included, within `seconds`."""

    def __init__(self, guard: Guard, network: httpcore2.NetworkBackend, tls: ssl.SSLContext, *, seconds: float) -> None:
        backend = GuardedNetwork(guard, network, Deadline(seconds))
        self._pool = httpcore2.ConnectionPool(ssl_context=tls, network_backend=backend, max_keepalive_connections=0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request over a connection of its own."""
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
        """Hang up."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    """A response's body, as it comes."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
