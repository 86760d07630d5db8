"""A small real HTTP server on this machine, with replies that a test sets."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply. A request with the `etag` gets 304; the server pauses `pause` seconds before each part of the body."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    pause: float = 0


@dataclass
class LocalHttp:
    """The server: `put` sets the reply of a path, `requests` holds paths and headers (names in lower case)."""

    port: int
    ending: Event
    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # of POST requests

    def put(self, path: str, body: bytes | Iterable[bytes] = b"", **reply) -> str:
        """Set the reply of a path and return its URL."""
        self.replies[path] = Reply(body=body, **reply)
        return self.url(path)

    def url(self, path: str, *, host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"http://{host}:{self.port}{path}"


class Handler(BaseHTTPRequestHandler):
    site: LocalHttp

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.site.requests.append((self.path, headers))
        reply = self.site.replies.get(self.path, Reply(status=404))
        unchanged = reply.etag and headers.get("if-none-match") == reply.etag
        self.send_response(304 if unchanged else reply.status)
        for name, value in reply.headers.items() | ({("ETag", reply.etag)} if reply.etag else set()):
            self.send_header(name, value)
        self.send_parts(Reply() if unchanged else reply)

    def do_POST(self) -> None:
        self.site.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.do_GET()

    def send_parts(self, reply: Reply) -> None:
        try:
            self.end_headers()
            for part in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                if reply.pause and self.site.ending.wait(reply.pause):
                    return
                self.wfile.write(part)
        except ConnectionError:
            pass  # the client has closed the connection

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def local_http() -> Iterator[LocalHttp]:
    """Run the server during the block."""
    handler = type("Handler", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.site = LocalHttp(server.server_port, Event())
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield handler.site
    finally:
        handler.site.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
