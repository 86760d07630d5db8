"""A sink that remembers: an SMTP server that takes every letter, and notes whose it was and when.

It is for measuring: fast enough not to be the bottleneck (RFC 2920 PIPELINING, one write for each read), and exact,
for what is lost or doubled is found by comparing Message-IDs. By itself it runs as
`python -m newsletter.bench.recording_sink --port 2525 --notes FILE`. A sink that misbehaves is a subclass of `Dialogue`
that overrides what it answers.
"""

import argparse
import asyncio
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

EVERY = 0.05  # seconds between two writes of what was noted
HEAD = 16_384  # octets of a letter in which its Message-ID is looked for
LINE = 4_096  # octets of a command line; RFC 5321 section 4.5.3.1.4 asks for 512

_EHLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
)
_ID = re.compile(rb"^message-id:\s*(<[^>\s]*>)", re.IGNORECASE | re.MULTILINE)


class Noted(NamedTuple):
    """A letter that was taken. The times are of the monotonic clock, which all processes of a machine share."""

    mail_at: float  # its MAIL FROM was read
    taken_at: float  # its final dot was answered with 250
    sender: str
    recipients: tuple[str, ...]
    message_id: str  # in its angle brackets; empty where there was none
    octets: int  # of header and body, without what SMTP adds


Note = Callable[[Noted], None]


class Dialogue(asyncio.Protocol):
    """One connection. What is asked of it it answers with `mail`, `recipient`, `content` and `end`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._rest = b""
        self._is_content = False
        self._now = 0.0
        self._forget()

    def _forget(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.mail_at = 0.0
        self.message_id = ""
        self._octets = 0
        self._head = b""

    # What a sink that misbehaves overrides. Each returns a whole reply; b"" is silence.

    def greeting(self) -> bytes:
        """The first words of a connection."""
        return b"220 sink ESMTP\r\n"

    def mail(self) -> bytes:
        """The answer to MAIL FROM; `sender` is set."""
        return b"250 2.1.0 Ok\r\n"

    def recipient(self, address: str) -> bytes:
        """The answer to RCPT TO; where it begins with 2, the address becomes one of `recipients`."""
        return b"250 2.1.5 Ok\r\n"

    def content(self) -> bytes:
        """The answer to DATA; where it begins with 354, the letter follows."""
        return b"354 Go on\r\n" if self.recipients else b"503 5.5.1 Nobody to take it to\r\n"

    def end(self) -> bytes:
        """The answer to the final dot; where it begins with 2, the letter is noted."""
        return b"250 2.0.0 Ok\r\n"

    # What drives it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.greeting())

    def data_received(self, data: bytes) -> None:
        """Read what came, and answer all of it in one piece."""
        self._now = time.monotonic()
        replies = b"".join(self._replies(self._rest + data if self._rest else data))
        if replies and not self.transport.is_closing():
            self.transport.write(replies)

    def _replies(self, data: bytes) -> Iterator[bytes]:
        position = 0
        while True:
            if self._is_content:
                end = data.find(b"\r\n.\r\n", position)
                if end < 0:
                    # The dot may be cut in two: its first four octets wait for the next read.
                    self._take_in(data, position, max(position, len(data) - 4))
                    self._rest = data[max(position, len(data) - 4) :]
                    return
                self._take_in(data, position, end)
                position = end + 5
                self._is_content = False
                yield self._ended()
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._rest = data[position:]
                if len(self._rest) > LINE:
                    self.transport.abort()
                return
            reply = self._answer(data[position:end].rstrip(b"\r"))
            # The line break before the content belongs to its first dot, if the content is nothing but that.
            position = end - 1 if self._is_content else end + 1
            yield reply

    def _answer(self, line: bytes) -> bytes:
        verb = line[:5].upper()
        if verb == b"MAIL " and self.sender is not None:
            reply = b"503 5.5.1 The last one is still open\r\n"  # as Postfix says where RSET was left out
        elif verb == b"MAIL ":
            self._forget()
            self.sender, self.mail_at = _address(line), self._now
            reply = self.mail()
            self.sender = self.sender if reply[:1] == b"2" else None
        elif verb == b"RCPT ":
            reply = self._to(_address(line))
        elif verb == b"DATA":
            reply = self.content()
            self._is_content = reply[:3] == b"354"
        else:
            reply = self._aside(verb)
        return reply

    def _to(self, address: str) -> bytes:
        if self.sender is None:
            return b"503 5.5.1 From whom?\r\n"
        reply = self.recipient(address)
        if reply[:1] == b"2":
            self.recipients.append(address)
        return reply

    def _aside(self, verb: bytes) -> bytes:
        match verb[:4]:
            case b"EHLO":
                self._forget()
                return _EHLO
            case b"HELO":
                self._forget()
                return b"250 sink\r\n"
            case b"RSET":
                self._forget()
                return b"250 2.0.0 Ok\r\n"
            case b"NOOP":
                return b"250 2.0.0 Ok\r\n"
            case b"QUIT":
                self.transport.write(b"221 2.0.0 Bye\r\n")
                self.transport.close()
                return b""
        return b"502 5.5.2 Not known here\r\n"

    def _take_in(self, data: bytes, start: int, end: int) -> None:
        self._octets += end - start
        if len(self._head) < HEAD:
            self._head += data[start : min(end, start + HEAD)]

    def _ended(self) -> bytes:
        found = _ID.search(self._head)
        self.message_id = found[1].decode(errors="replace") if found else ""
        reply = self.end()
        if reply[:1] == b"2":
            octets = max(0, self._octets)  # the line break before it stands for the one that ends its last line
            sender, recipients = self.sender or "", tuple(self.recipients)
            self._note(Noted(self.mail_at, self._now, sender, recipients, self.message_id, octets))
        self._forget()
        return reply


def _address(line: bytes) -> str:
    return line[line.find(b"<") + 1 : line.rfind(b">")].decode(errors="replace")


class Notebook:
    """What was taken, a line for each letter; written every twentieth of a second, and the count on stdout."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb", buffering=0)
        self._lines: list[Noted] = []
        self._count = 0

    def note(self, letter: Noted) -> None:
        """Note a letter."""
        self._lines.append(letter)

    def write(self) -> None:
        """Put on paper what was noted."""
        if self._lines:
            self._file.write("".join(map(_line, self._lines)).encode())
            self._count += len(self._lines)
            self._lines.clear()
            sys.stdout.write(f"mesg={self._count}\n")
            sys.stdout.flush()


def _line(letter: Noted) -> str:
    times = f"{letter.mail_at:.6f}\t{letter.taken_at:.6f}"
    return f"{times}\t{letter.octets}\t{letter.message_id}\t{letter.sender}\t{' '.join(letter.recipients)}\n"


def noted(file: Path) -> Iterator[Noted]:
    """What a sink has written down, in the order in which it was taken."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            mail_at, taken_at, octets, message_id, sender, recipients = line.rstrip("\n").split("\t")
            yield Noted(float(mail_at), float(taken_at), sender, tuple(recipients.split()), message_id, int(octets))


async def serve(port: int, notes: Path, make: Callable[[Note], Dialogue] = Dialogue) -> None:
    """Take letters on this port of 127.0.0.1 until SIGTERM or SIGINT comes; then write what is left."""
    notebook, loop, over = Notebook(notes), asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, over.set)
    server = await loop.create_server(partial(make, notebook.note), "127.0.0.1", port, backlog=1000)
    while not over.is_set():
        try:
            await asyncio.wait_for(over.wait(), EVERY)
        except TimeoutError:
            notebook.write()
    server.close()
    notebook.write()


def main() -> None:
    """Serve as the command line says."""
    words = argparse.ArgumentParser(description="A sink that remembers")
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--notes", type=Path, required=True)
    given = words.parse_args()
    uvloop.run(serve(given.port, given.notes))


if __name__ == "__main__":
    main()
