"""A recording sink: an SMTP server that accepts every letter and logs its envelope, Message-ID and times.

It is fast enough not to be a benchmark's bottleneck (RFC 2920 PIPELINING, one write for each read), and exact: lost and
doubled letters show in the Message-IDs. Run it as `python -m newsletter.bench.recording_sink --port 2525 --log FILE`.
A misbehaving sink is a subclass of `Dialogue` with other replies.
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

WRITE_SECONDS = 0.05  # between two writes of the log
HEAD_OCTETS = 16_384  # of a letter that are searched for its Message-ID
LINE_OCTETS = 4_096  # of a command line at most; RFC 5321 section 4.5.3.1.4 asks for 512

_EHLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
)
_ID = re.compile(rb"^message-id:\s*(<[^>\s]*>)", re.IGNORECASE | re.MULTILINE)


class RecordedLetter(NamedTuple):
    """An accepted letter. Its times are of the monotonic clock, which all processes of a machine share."""

    mail_at: float  # when its MAIL FROM was read
    taken_at: float  # when its final dot was answered with 250
    sender: str
    recipients: tuple[str, ...]
    message_id: str  # with its angle brackets; empty if the letter has none
    octets: int  # of header and body, without SMTP's dot stuffing


RecordLetter = Callable[[RecordedLetter], None]


class Dialogue(asyncio.Protocol):
    """One connection. Subclasses override the replies: `greeting`, `mail`, `recipient`, `content` and `end`."""

    def __init__(self, record: RecordLetter) -> None:
        self._record = record
        self._rest = b""
        self._is_content = False
        self._now = 0.0
        self._reset()

    def _reset(self) -> None:
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.mail_at = 0.0
        self.message_id = ""
        self._octets = 0
        self._head = b""

    # The replies, which subclasses override. Each returns a complete reply; b"" sends none.

    def greeting(self) -> bytes:
        """Return the greeting of a connection."""
        return b"220 sink ESMTP\r\n"

    def mail(self) -> bytes:
        """Return the reply to MAIL FROM; `sender` is set."""
        return b"250 2.1.0 Ok\r\n"

    def recipient(self, address: str) -> bytes:
        """Return the reply to RCPT TO; if it begins with 2, the address joins `recipients`."""
        return b"250 2.1.5 Ok\r\n"

    def content(self) -> bytes:
        """Return the reply to DATA; if it begins with 354, the letter follows."""
        return b"354 Go on\r\n" if self.recipients else b"503 5.5.1 No recipient\r\n"

    def end(self) -> bytes:
        """Return the reply to the final dot; if it begins with 2, the letter is recorded."""
        return b"250 2.0.0 Ok\r\n"

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the greeting."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.greeting())

    def data_received(self, data: bytes) -> None:
        """Parse the data, and write all replies at once."""
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
                    # The end marker may be split over two reads: keep the last four octets for the next one.
                    self._add_content(data, position, max(position, len(data) - 4))
                    self._rest = data[max(position, len(data) - 4) :]
                    return
                self._add_content(data, position, end)
                position = end + 5
                self._is_content = False
                yield self._end_letter()
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._rest = data[position:]
                if len(self._rest) > LINE_OCTETS:
                    self.transport.abort()
                return
            reply = self._reply(data[position:end].rstrip(b"\r"))
            # Step back to the line break before the content: an empty content's end marker begins with it.
            position = end - 1 if self._is_content else end + 1
            yield reply

    def _reply(self, line: bytes) -> bytes:
        verb = line[:5].upper()
        if verb == b"MAIL " and self.sender is not None:
            reply = b"503 5.5.1 Nested MAIL command\r\n"  # as Postfix replies if RSET is missing
        elif verb == b"MAIL ":
            self._reset()
            self.sender, self.mail_at = _address(line), self._now
            reply = self.mail()
            self.sender = self.sender if reply[:1] == b"2" else None
        elif verb == b"RCPT ":
            reply = self._add_recipient(_address(line))
        elif verb == b"DATA":
            reply = self.content()
            self._is_content = reply[:3] == b"354"
        else:
            reply = self._other_command(verb)
        return reply

    def _add_recipient(self, address: str) -> bytes:
        if self.sender is None:
            return b"503 5.5.1 Need MAIL command\r\n"
        reply = self.recipient(address)
        if reply[:1] == b"2":
            self.recipients.append(address)
        return reply

    def _other_command(self, verb: bytes) -> bytes:
        match verb[:4]:
            case b"EHLO":
                self._reset()
                return _EHLO
            case b"HELO":
                self._reset()
                return b"250 sink\r\n"
            case b"RSET":
                self._reset()
                return b"250 2.0.0 Ok\r\n"
            case b"NOOP":
                return b"250 2.0.0 Ok\r\n"
            case b"QUIT":
                self.transport.write(b"221 2.0.0 Bye\r\n")
                self.transport.close()
                return b""
        return b"502 5.5.2 Unknown command\r\n"

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._octets += end - start
        if len(self._head) < HEAD_OCTETS:
            self._head += data[start : min(end, start + HEAD_OCTETS)]

    def _end_letter(self) -> bytes:
        match = _ID.search(self._head)
        self.message_id = match[1].decode(errors="replace") if match else ""
        reply = self.end()
        if reply[:1] == b"2":
            octets = max(0, self._octets)  # counts the line break before the content instead of the last one
            sender, recipients = self.sender or "", tuple(self.recipients)
            self._record(RecordedLetter(self.mail_at, self._now, sender, recipients, self.message_id, octets))
        self._reset()
        return reply


def _address(line: bytes) -> str:
    return line[line.find(b"<") + 1 : line.rfind(b">")].decode(errors="replace")


class LetterLog:
    """The accepted letters, one line each in a file, and their count on stdout, as smtp-sink prints it."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb", buffering=0)
        self._unwritten: list[RecordedLetter] = []
        self._count = 0

    def record(self, letter: RecordedLetter) -> None:
        """Keep a letter for the next `write`."""
        self._unwritten.append(letter)

    def write(self) -> None:
        """Write the letters recorded since the last call."""
        if self._unwritten:
            self._file.write("".join(map(_line, self._unwritten)).encode())
            self._count += len(self._unwritten)
            self._unwritten.clear()
            sys.stdout.write(f"mesg={self._count}\n")
            sys.stdout.flush()


def _line(letter: RecordedLetter) -> str:
    times = f"{letter.mail_at:.6f}\t{letter.taken_at:.6f}"
    return f"{times}\t{letter.octets}\t{letter.message_id}\t{letter.sender}\t{' '.join(letter.recipients)}\n"


def recorded_letters(file: Path) -> Iterator[RecordedLetter]:
    """Return the letters of a sink's log, in order of acceptance."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            mail_at, taken_at, octets, message_id, sender, recipients = line.rstrip("\n").split("\t")
            yield RecordedLetter(
                float(mail_at), float(taken_at), sender, tuple(recipients.split()), message_id, int(octets)
            )


async def serve(port: int, file: Path) -> None:
    """Accept letters on this port of 127.0.0.1 until SIGTERM or SIGINT; then write the rest of the log."""
    log, loop, stop = LetterLog(file), asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    server = await loop.create_server(partial(Dialogue, log.record), "127.0.0.1", port, backlog=1000)
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), WRITE_SECONDS)
        except TimeoutError:
            log.write()
    server.close()
    log.write()


def main() -> None:
    """Run the sink with the command line's options."""
    parser = argparse.ArgumentParser(description="An SMTP sink that records every letter")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.log))


if __name__ == "__main__":
    main()
