"""A scripted SMTP server: it refuses, delays and hangs up as the test says, and records what it received."""

import re
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Self

from tests.waiting import TIMEOUT

CLOSE = "CLOSE"  # hangs up instead of replying
SILENCE = "SILENCE"  # never replies


def late(reply: str, seconds: float) -> str:
    """Return a reply that is sent after a delay."""
    return f"LATE {seconds} {reply}"


def held(reply: str) -> str:
    """Return a reply that is sent once the test has called `release`."""
    return f"HELD {reply}"


USUAL = {
    "GREETING": "220 relay.test ESMTP",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 taken",
    "RSET": "250 2.0.0 forgotten",
    "NOOP": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass(frozen=True)
class Letter:
    """A letter that the server took, without dot stuffing, otherwise byte for byte."""

    sender: str
    recipients: tuple[str, ...]
    body: bytes
    options: str  # of MAIL


@dataclass
class Transaction:
    sender: str
    options: str
    recipients: list[str] = field(default_factory=list)


class ScriptedServer(socketserver.ThreadingTCPServer):
    """`script` lists the replies to the first occurrences of each step; after them the usual reply is sent.

    A step is a command's name, GREETING, CONTENT (when the first line of a letter has arrived; only CLOSE makes sense
    there) or DOT. A reply is an SMTP reply, CLOSE, SILENCE, a late or a held one. `always` replaces the usual reply to
    a step; `refused` sets the reply to RCPT by recipient. After a 421 the server hangs up (RFC 5321 section 3.8).
    """

    allow_reuse_address = True
    daemon_threads = False

    def __init__(
        self,
        script: Mapping[str, Sequence[str]] | None = None,
        *,
        always: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
        offers: Sequence[str] = ("SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING"),
        offers_after_tls: Sequence[str] | None = None,
        tls: ssl.SSLContext | None = None,
        tls_from_start: bool = False,
    ) -> None:
        super().__init__(("127.0.0.1", 0), SmtpHandler)
        self.host, self.port = "127.0.0.1", int(self.server_address[1])
        self.script, self.always, self.refused = script or {}, always or {}, refused or {}
        self.offers, self.offers_after_tls = offers, offers if offers_after_tls is None else offers_after_tls
        self.tls, self.tls_from_start = tls, tls_from_start
        self.letters: list[Letter] = []
        self.commands: list[str] = []
        self.connections = 0
        self.released = threading.Event()
        self._steps: Counter[str] = Counter()
        self._open: set[socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self.shutdown()
        self._thread.join()
        self.hang_up()
        self.server_close()

    def release(self) -> None:
        """Let held replies be sent."""
        self.released.set()

    def hang_up(self) -> None:
        """Close every connection, as servers do after their idle timeout."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(SHUT_RDWR)

    def reply_to(self, step: str, recipient: str = "") -> str:
        """Return the scripted reply to this step, and count the step."""
        with self._lock:
            replies = self.script.get(step, ())
            self._steps[step] += 1
            if self._steps[step] <= len(replies):
                return replies[self._steps[step] - 1]
        if step == "RCPT" and recipient in self.refused:
            return self.refused[recipient]
        return self.always.get(step, USUAL.get(step, ""))

    def record(self, command: str) -> None:
        with self._lock:
            self.commands.append(command)

    def get_request(self) -> tuple[socket, object]:
        connection, address = super().get_request()
        with self._lock:
            self.connections += 1
            self._open.add(connection)
        return connection, address

    def forget(self, old: socket, new: socket | None = None) -> None:
        with self._lock:
            self._open.discard(old)
            if new:
                self._open.add(new)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up: some tests are about them."""


class HungUpError(Exception):
    """The connection is to be closed."""


class SmtpHandler(socketserver.StreamRequestHandler):
    """One connection."""

    server: ScriptedServer
    timeout = TIMEOUT
    disable_nagle_algorithm = True
    transaction: Transaction | None = None
    offers: Sequence[str] = ()

    def handle(self) -> None:
        self.offers = self.server.offers
        with suppress(HungUpError, OSError):
            if self.server.tls_from_start:
                self.encrypt()
            self.send(self.server.reply_to("GREETING"))
            while line := self.rfile.readline():
                self.execute(line.decode("utf-8").rstrip("\r\n"))

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.forget(self.connection)
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)
        self.connection.close()

    def execute(self, command: str) -> None:
        verb = re.split("[ :]", command, maxsplit=1)[0]
        command = verb.upper() + command.removeprefix(verb)
        self.server.record(command)
        handlers: Mapping[str, Callable[[str], None]] = {
            "EHLO": self.ehlo,
            "STARTTLS": self.starttls,
            "AUTH": self.auth,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "RSET": self.rset,
        }
        handlers.get(verb.upper(), self.other)(command)

    def ehlo(self, _: str) -> None:
        self.transaction = None
        if scripted := self.server.reply_to("EHLO"):
            self.send(scripted)
            return
        lines = ["relay.test", *self.offers]
        for line in lines[:-1]:
            self.write(f"250-{line}")
        self.write(f"250 {lines[-1]}")

    def starttls(self, _: str) -> None:
        if self.send(self.server.reply_to("STARTTLS")):
            self.encrypt()
            self.offers = self.server.offers_after_tls

    def auth(self, _: str) -> None:
        self.send(self.server.reply_to("AUTH"))

    def mail(self, command: str) -> None:
        if self.transaction:
            self.send("503 5.5.1 nested MAIL command")
            return
        sender, options = path(command)
        if self.send(self.server.reply_to("MAIL")):
            self.transaction = Transaction(sender, options)

    def rcpt(self, command: str) -> None:
        if not self.transaction:
            self.send("503 5.5.1 need MAIL command")
            return
        recipient, _ = path(command)
        if self.send(self.server.reply_to("RCPT", recipient)):
            self.transaction.recipients.append(recipient)

    def data(self, _: str) -> None:
        if not self.transaction or not self.transaction.recipients:
            self.send("554 5.5.1 no valid recipients")
            return
        if not self.send(self.server.reply_to("DATA")):
            return
        body = self.content()
        letter = Letter(self.transaction.sender, tuple(self.transaction.recipients), body, self.transaction.options)
        self.transaction = None
        self.send(self.server.reply_to("DOT"), before=lambda: self.server.letters.append(letter))

    def content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line or self.server.reply_to("CONTENT") == CLOSE:
                raise HungUpError
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def rset(self, _: str) -> None:
        if self.send(self.server.reply_to("RSET")):
            self.transaction = None

    def other(self, command: str) -> None:
        verb = command.partition(" ")[0]
        self.send(self.server.reply_to(verb) or "500 5.5.2 unknown command")
        if verb == "QUIT":
            raise HungUpError

    def encrypt(self) -> None:
        assert self.server.tls, "no certificate"
        plain = self.connection
        self.connection = self.server.tls.wrap_socket(plain, server_side=True)
        self.server.forget(plain, self.connection)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def send(self, reply: str, *, before: Callable[[], None] = lambda: None) -> bool:
        """Send a scripted reply; return whether it is positive. `before` is called first if it is."""
        if reply.startswith("LATE"):
            _, seconds, reply = reply.split(" ", maxsplit=2)
            time.sleep(float(seconds))
        if reply.startswith("HELD"):
            self.server.released.wait(TIMEOUT)
            reply = reply.removeprefix("HELD ")
        if reply == CLOSE:
            raise HungUpError
        if reply == SILENCE:
            self.rfile.read()
            raise HungUpError
        if reply[0] in "23":
            before()
        self.write(reply)
        if reply.startswith("421"):
            raise HungUpError
        return reply[0] in "23"

    def write(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def path(command: str) -> tuple[str, str]:
    """Return the address in MAIL or RCPT, and the parameters after it."""
    address, _, options = command.partition("<")[2].partition(">")
    return address, options.strip()
