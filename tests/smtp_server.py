"""An SMTP server that does as it is told: it refuses, dawdles and hangs up by script, and writes down what it saw."""

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

CLOSE = "CLOSE"  # hangs up instead of answering
SILENCE = "SILENCE"  # never answers


def late(answer: str, seconds: float) -> str:
    """An answer that takes its time."""
    return f"LATE {seconds} {answer}"


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
    """A letter as the server took it: dot-stuffing undone, otherwise byte for byte."""

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
    """`script` says by step what is answered: to the first such command, the second, and so on; afterwards the usual.

    A step is a command's name, GREETING, CONTENT (asked once the first line of a letter has come; only CLOSE makes
    sense there) or DOT. An answer is a reply, CLOSE, SILENCE or a late one. `always` answers every such command that
    the script does not; `refused` answers RCPT by recipient. A 421 is followed by hanging up (RFC 5321 section 3.8).
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
        super().__init__(("127.0.0.1", 0), Conversation)
        self.host, self.port = "127.0.0.1", int(self.server_address[1])
        self.script, self.always, self.refused = script or {}, always or {}, refused or {}
        self.offers, self.offers_after_tls = offers, offers if offers_after_tls is None else offers_after_tls
        self.tls, self.tls_from_start = tls, tls_from_start
        self.letters: list[Letter] = []
        self.commands: list[str] = []
        self.connections = 0
        self._asked: Counter[str] = Counter()
        self._open: set[socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.hang_up()
        self.server_close()

    def hang_up(self) -> None:
        """End every connection, as servers do that think they have waited long enough."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(SHUT_RDWR)

    def answer(self, step: str, recipient: str = "") -> str:
        """What the script says to this step now."""
        with self._lock:
            answers = self.script.get(step, ())
            self._asked[step] += 1
            if self._asked[step] <= len(answers):
                return answers[self._asked[step] - 1]
        if step == "RCPT" and recipient in self.refused:
            return self.refused[recipient]
        return self.always.get(step, USUAL.get(step, ""))

    def note(self, command: str) -> None:
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
        """Clients that hang up are what some tests are about."""


class HungUpError(Exception):
    """The conversation is over."""


class Conversation(socketserver.StreamRequestHandler):
    """One connection."""

    server: ScriptedServer
    timeout = 10
    disable_nagle_algorithm = True
    transaction: Transaction | None = None
    offers: Sequence[str] = ()

    def handle(self) -> None:
        self.offers = self.server.offers
        with suppress(HungUpError, OSError):
            if self.server.tls_from_start:
                self.encrypt()
            self.say(self.server.answer("GREETING"))
            while line := self.rfile.readline():
                self.obey(line.decode("utf-8").rstrip("\r\n"))

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.forget(self.connection)
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)
        self.connection.close()

    def obey(self, command: str) -> None:
        verb = re.split("[ :]", command, maxsplit=1)[0]
        command = verb.upper() + command.removeprefix(verb)
        self.server.note(command)
        known: Mapping[str, Callable[[str], None]] = {
            "EHLO": self.ehlo,
            "STARTTLS": self.starttls,
            "AUTH": self.auth,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "RSET": self.rset,
        }
        known.get(verb.upper(), self.other)(command)

    def ehlo(self, _: str) -> None:
        self.transaction = None
        if scripted := self.server.answer("EHLO"):
            self.say(scripted)
            return
        lines = ["relay.test", *self.offers]
        for line in lines[:-1]:
            self.write(f"250-{line}")
        self.write(f"250 {lines[-1]}")

    def starttls(self, _: str) -> None:
        if self.say(self.server.answer("STARTTLS")):
            self.encrypt()
            self.offers = self.server.offers_after_tls

    def auth(self, _: str) -> None:
        self.say(self.server.answer("AUTH"))

    def mail(self, command: str) -> None:
        if self.transaction:
            self.say("503 5.5.1 nested MAIL command")
            return
        sender, options = path(command)
        if self.say(self.server.answer("MAIL")):
            self.transaction = Transaction(sender, options)

    def rcpt(self, command: str) -> None:
        if not self.transaction:
            self.say("503 5.5.1 need MAIL command")
            return
        recipient, _ = path(command)
        if self.say(self.server.answer("RCPT", recipient)):
            self.transaction.recipients.append(recipient)

    def data(self, _: str) -> None:
        if not self.transaction or not self.transaction.recipients:
            self.say("554 5.5.1 no valid recipients")
            return
        if not self.say(self.server.answer("DATA")):
            return
        body = self.content()
        letter = Letter(self.transaction.sender, tuple(self.transaction.recipients), body, self.transaction.options)
        self.transaction = None
        self.say(self.server.answer("DOT"), before=lambda: self.server.letters.append(letter))

    def content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line or self.server.answer("CONTENT") == CLOSE:
                raise HungUpError
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def rset(self, _: str) -> None:
        if self.say(self.server.answer("RSET")):
            self.transaction = None

    def other(self, command: str) -> None:
        verb = command.partition(" ")[0]
        self.say(self.server.answer(verb) or "500 5.5.2 what?")
        if verb == "QUIT":
            raise HungUpError

    def encrypt(self) -> None:
        assert self.server.tls, "no certificate"
        plain = self.connection
        self.connection = self.server.tls.wrap_socket(plain, server_side=True)
        self.server.forget(plain, self.connection)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def say(self, answer: str, *, before: Callable[[], None] = lambda: None) -> bool:
        """Answer; whether that was a yes. `before` is done first if it is to be one."""
        if answer.startswith("LATE"):
            _, seconds, answer = answer.split(" ", maxsplit=2)
            time.sleep(float(seconds))
        if answer == CLOSE:
            raise HungUpError
        if answer == SILENCE:
            self.rfile.read()
            raise HungUpError
        if answer[0] in "23":
            before()
        self.write(answer)
        if answer.startswith("421"):
            raise HungUpError
        return answer[0] in "23"

    def write(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def path(command: str) -> tuple[str, str]:
    """The address in MAIL or RCPT, and what follows it."""
    address, _, options = command.partition("<")[2].partition(">")
    return address, options.strip()
