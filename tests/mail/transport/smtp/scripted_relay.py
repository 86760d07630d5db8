"""A relay without a socket: it replies to each message as the test says, and records what it took."""

import re
from dataclasses import dataclass, field

NUMBER = re.compile(r"-(\d+)@")


@dataclass(frozen=True)
class Codes:
    """The codes of the replies to one message."""

    mail: int = 250
    rcpt: int = 250
    data: int = 354
    dot: int = 250
    is_multiline: bool = False  # each reply has two lines
    asks_anyway: bool = False  # asks for the content although it refused the recipient


@dataclass
class Relay:
    """The state of a server; bytes in, bytes out."""

    codes: dict[int, Codes]
    pipelining: bool = True
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)  # sender, recipient, content
    unaddressed: list[bytes] = field(default_factory=list)  # content that arrived without a recipient
    sender: str | None = None
    recipient: str | None = None
    current: Codes = field(default_factory=Codes)
    rest: bytes = b""
    is_reading: bool = False
    is_closed: bool = False

    def feed(self, data: bytes) -> bytes:
        """Return the replies to the data."""
        self.rest += data
        out = b""
        while not self.is_closed and (end := self._end()) >= 0:
            piece, self.rest = self.rest[:end], self.rest[end:]
            reply = self._content(piece) if self.is_reading else self._command(piece.decode().rstrip("\r\n"))
            out += reply
        return out

    def _end(self) -> int:
        if self.is_reading:
            if self.rest.startswith(b".\r\n"):
                return 3
            position = self.rest.find(b"\r\n.\r\n")
            return position + 5 if position >= 0 else -1
        return self.rest.find(b"\r\n") + 2 if b"\r\n" in self.rest else -1

    def _reply(self, code: int) -> bytes:
        self.is_closed = code == 421
        return b"%d-first\r\n%d last\r\n" % (code, code) if self.current.is_multiline else b"%d word\r\n" % code

    def _command(self, command: str) -> bytes:
        verb = command.partition(" ")[0]
        return self._reply(
            {"MAIL": self._mail, "RCPT": self._rcpt, "DATA": self._data, "RSET": self._rset}[verb](command)
        )

    def _mail(self, command: str) -> int:
        if self.sender is not None:
            return 503
        number = NUMBER.search(command)
        assert number
        self.current = self.codes[int(number[1])]
        if self.current.mail == 250:
            self.sender = command.partition("<")[2].partition(">")[0]
        return self.current.mail

    def _rcpt(self, command: str) -> int:
        if self.sender is None:
            return 503
        if self.current.rcpt == 250:
            self.recipient = command.partition("<")[2].partition(">")[0]
        return self.current.rcpt

    def _data(self, _: str) -> int:
        if self.sender is None:
            return 503
        if self.recipient is None and not self.current.asks_anyway:
            return 554
        self.is_reading = self.current.data == 354
        return self.current.data

    def _rset(self, _: str) -> int:
        self.sender = self.recipient = None
        return 250

    def _content(self, content: bytes) -> bytes:
        self.is_reading = False
        body = content.removesuffix(b".\r\n").replace(b"\n..", b"\n.")
        if self.recipient is None:
            self.unaddressed.append(body)
        elif self.current.dot == 250:
            assert self.sender is not None
            self.taken.append((self.sender, self.recipient, body))
        code = self.current.dot
        self.sender = self.recipient = None
        return self._reply(code)
