"""HTTP with deadlines: uvicorn waits for ever for the rest of a request, and for a client that does not read.

Use it with `uvicorn --http newsletter.web.http_protocol:PunctualHTTP`. It is uvicorn's own protocol; it only answers a
request that comes too slowly with 408 (RFC 9110 section 15.5.9) and closes the connection.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024  # httptools has no limit of its own
TIMEOUT = b"408 Request Timeout"
TOO_LARGE = b"431 Request Header Fields Too Large"  # RFC 6585 section 5


class PunctualHTTP(HttpToolsProtocol):
    """Uvicorn's protocol with deadlines. They are absolute: a byte now and then does not extend one.

    Between two requests, and while the application prepares an answer, uvicorn's own limits apply.
    """

    header_seconds = 10.0  # from the connection, or the first byte of a further request, to the end of the headers
    body_seconds = 30.0  # from the end of the headers to the end of the body: 64 kB at most for a form
    answer_seconds = 60.0  # in which the client must take some of the answer

    _request: asyncio.TimerHandle | None = None  # runs until the request has arrived
    _answer: asyncio.TimerHandle | None = None  # runs while a part of an answer waits for the client
    _held_bytes = 0  # received since the last end of headers or part of a body: httptools holds them, as of a header
    _progress = 0  # counts the answers, and how often the client took some of one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._expect(self.header_seconds)

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on, and wait for the rest; refuse headers, trailers and sizes of chunks without an end."""
        self._held_bytes += len(data)
        super().data_received(data)
        if self._held_bytes > MAX_HEADER_BYTES:
            self._end(TOO_LARGE)
        elif self._held_bytes and self._request is None:
            self._expect(self.header_seconds)

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        super().on_headers_complete()
        self._held_bytes = 0
        self._expect(self.body_seconds)

    def on_body(self, body: bytes) -> None:
        """Note that it was passed on."""
        super().on_body(body)
        self._held_bytes = 0

    def on_message_complete(self) -> None:
        """Stop waiting."""
        super().on_message_complete()
        self._held_bytes = 0
        self._expect(None)

    def on_response_complete(self) -> None:
        """Wait for the client to take the answer."""
        super().on_response_complete()
        self._watch_answer()

    def pause_writing(self) -> None:
        """Wait for the client to take some of a long answer."""
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        """Note that the client took some."""
        super().resume_writing()
        self._progress += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._expect(None)
        if self._answer:
            self._answer.cancel()

    def _expect(self, seconds: float | None) -> None:
        if self._request:
            self._request.cancel()
        self._request = self.loop.call_later(seconds, self._on_deadline) if seconds else None

    def _on_deadline(self) -> None:
        self._request = None
        answered = self.cycle is None or self.cycle.response_complete
        if not answered and not self.cycle.more_body:  # the answer to the request before comes first
            self._expect(self.header_seconds)
        else:
            self._end(TIMEOUT)

    def _end(self, status: bytes) -> None:
        """Close the connection, with an answer unless another one has begun; to the application, the client left."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        is_idle = cycle is None or cycle.response_complete
        # A browser that opened a connection in advance asked nothing, and would take an answer for that of its request.
        if self._held_bytes if is_idle else not (cycle.response_started or self.pipeline):
            self.transport.write(b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
        self._watch_answer()

    def _watch_answer(self) -> None:
        self._progress += 1
        if self._answer is None:
            self._watch_answer_again()

    def _watch_answer_again(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        wait = self.loop.call_later
        self._answer = wait(self.answer_seconds, self._check_answer, self._progress, unsent) if unsent else None

    def _check_answer(self, progress: int, unsent: int) -> None:
        """Close the connection if the client took nothing since then."""
        if progress == self._progress and self.transport.get_write_buffer_size() >= unsent:
            self.transport.abort()
        else:
            self._watch_answer_again()
