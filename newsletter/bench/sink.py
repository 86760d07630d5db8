"""A sink: an SMTP server that takes every letter, as fast as Python can, and writes down what it saw.

    python -m newsletter.bench.sink --port 2525 --book arrivals.tsv

Its book is a file that grows by a line for each mail transaction, written before the answer to it: so the book knows
of every letter that anybody may call sent, and outlives the sink. Times are `time.monotonic()`, one clock for all
processes of a machine. It speaks PIPELINING (RFC 2920). Told to end, it takes no more connections, answers 421 to
whoever would begin another letter, and ends when the last one has gone.
"""

import argparse
import asyncio
import contextlib
import hashlib
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from newsletter.bench.book import Arrival, Book, head
from newsletter.bench.manners import OK, Answer, Manners

uvloop: ModuleType | None
try:
    import uvloop
except ImportError:  # not for every platform
    uvloop = None

GOODBYE = 10.0  # seconds until a sink that was told to end hangs up on whoever is left
END = b"\r\n.\r\n"


OFFERS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8")
OUT_OF_STEP = Answer(b"503 5.5.1 not now\r\n")
VERBS = {
    "EHLO": Answer("\r\n250-".join(["250-sink.test", *OFFERS[:-1]]).encode() + f"\r\n250 {OFFERS[-1]}\r\n".encode()),
    "HELO": OK,
    "NOOP": OK,
    "RSET": OK,
    "QUIT": Answer(b"221 2.0.0 bye\r\n", hangs_up=True),
}
LEAVING = Answer(b"421 4.3.2 closing down\r\n", hangs_up=True)


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, sink: "Sink") -> None:
        self.sink = sink
        self.number = 0
        self._buffer = bytearray()
        self._seen = 0  # bytes of the buffer in which the end of a letter was looked for
        self._mail: tuple[float, str] | None = None
        self._recipient: str | None = None
        self._reads_content = False
        self._waits = False  # an answer takes its time, and whatever comes meanwhile as well
        self._is_over = False
        self._said: list[bytes] = []
        self._noted: list[Arrival] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport: Any = transport  # uvloop's is no subclass of asyncio's
        self.number = self.sink.enter(self)
        self._answer(self.sink.manners.greeting(self.number))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note what was cut off."""
        self._is_over = True
        if self._mail:
            self._note("cut", b"")
            self._flush()
        self.sink.leave(self)

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        if not self._is_over:
            self._buffer += data
            self.read()

    def read(self) -> None:
        """Go through the buffer."""
        while not (self._is_over or self._waits) and (self._content() if self._reads_content else self._command()):
            pass
        self._flush()

    def end(self) -> None:
        """Hang up as soon as no letter is being taken."""
        if not (self._mail or self._waits or self._is_over):
            self._answer(LEAVING)
            self._flush()

    def _command(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = self._buffer[:end].decode("utf-8", "replace")
        verb = line[:4].upper()
        if verb == "DATA" and self._recipient is not None:
            del self._buffer[:end]  # but not the line's end: a letter without any content ends with a dot after it
            self._seen = 0
            answer = self.sink.manners.data(self.number)
            self._reads_content = answer.reply.startswith(b"3")
        else:
            del self._buffer[: end + 2]
            answer = self._dialogue(verb, line)
        self._answer(answer)
        return True

    def _dialogue(self, verb: str, line: str) -> Answer:
        match verb:
            case "MAIL":
                return self._begin(_path(line))
            case "RCPT" if self._mail:
                return self._name(_path(line))
            case "RCPT" | "DATA":
                return OUT_OF_STEP
            case "RSET":
                self._forget()
        return VERBS.get(verb, Answer(b"500 5.5.2 what?\r\n"))

    def _begin(self, sender: str) -> Answer:
        """MAIL, which a transaction that is still open refuses, as Postfix does."""
        if self.sink.is_closing:
            return LEAVING
        if self._mail:
            return OUT_OF_STEP
        answer = self.sink.manners.mail(self.number, sender)
        if answer.reply.startswith(b"2"):
            self._mail = (time.monotonic(), sender)
        return answer

    def _name(self, recipient: str) -> Answer:
        answer = self.sink.manners.recipient(self.number, recipient)
        if answer.reply.startswith(b"2"):
            self._recipient = recipient
        else:
            self._note("refused", b"", recipient)
        return answer

    def _content(self) -> bool:
        end = self._buffer.find(END, self._seen)
        if end < 0:
            self._seen = max(0, len(self._buffer) - len(END) + 1)
            return False
        content = bytes(self._buffer[2 : end + 2])
        del self._buffer[: end + len(END)]
        self._reads_content = False
        arrival = self._arrival("taken", content, self._recipient or "")
        answer = self.sink.manners.end(arrival)
        self._noted.append(arrival if answer.takes else arrival._replace(fate="refused"))
        self._forget()
        self._answer(answer)
        return True

    def _forget(self) -> None:
        self._mail = self._recipient = None

    def _note(self, fate: str, content: bytes, recipient: str | None = None) -> None:
        self._noted.append(self._arrival(fate, content, recipient or self._recipient or ""))

    def _arrival(self, fate: str, content: bytes, recipient: str) -> Arrival:
        mail_at, sender = self._mail or (0.0, "")
        message_id, to = head(content) if content else ("", "")
        digest = hashlib.sha256(content).hexdigest() if self.sink.hashes else ""
        return Arrival(
            fate, self.number, mail_at, time.monotonic(), sender, recipient, message_id, to, digest, len(content)
        )

    def _answer(self, answer: Answer) -> None:
        if answer.after:
            self._waits = True
            asyncio.get_running_loop().call_later(answer.after, self._late, answer._replace(after=0.0))
            return
        self._said.append(answer.reply)
        self._is_over = self._is_over or answer.hangs_up

    def _late(self, answer: Answer) -> None:
        self._waits = False
        if not self._is_over:
            self._answer(answer)
            self.read()

    def _flush(self) -> None:
        """Write down first, then say so."""
        if self._noted:
            self.sink.book.write(self._noted)
            self._noted = []
        said, self._said = b"".join(self._said), []
        if self.transport.is_closing():
            return
        if said:
            self.transport.write(said)
        if self._is_over:
            self.hang_up()

    def hang_up(self) -> None:
        """End our side. What still comes is read and thrown away: or the system would reset, and our answer be lost."""
        self._is_over = True
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(GOODBYE, self.transport.abort)


class Sink:
    """What its sessions share."""

    def __init__(self, book: Book, manners: Manners, *, hashes: bool = True) -> None:
        self.book = book
        self.manners = manners
        self.hashes = hashes
        self.is_closing = False
        self._sessions: set[Session] = set()
        self._number = 0
        self._empty = asyncio.Event()

    def session(self) -> Session:
        """Somebody connects."""
        return Session(self)

    def enter(self, session: Session) -> int:
        """Number a connection."""
        self._sessions.add(session)
        self._number += 1
        return self._number

    def leave(self, session: Session) -> None:
        """A connection has ended."""
        self._sessions.discard(session)
        if self.is_closing and not self._sessions:
            self._empty.set()

    async def close(self) -> None:
        """Say goodbye to everybody, and wait until they have gone."""
        self.is_closing = True
        for session in list(self._sessions):
            session.end()
        if self._sessions:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), GOODBYE)

    @classmethod
    async def serve(
        cls,
        book: Book,
        manners: Manners,
        port: int,
        *,
        hashes: bool = True,
        session: Callable[[Self], Session] = Session,
    ) -> None:
        """Serve on that port of this machine until the process is told to end."""
        sink, told = cls(book, manners, hashes=hashes), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, told.set)
        server = await loop.create_server(lambda: session(sink), "127.0.0.1", port, backlog=1000, reuse_address=True)
        await told.wait()
        server.close()
        await sink.close()
        book.close()


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def run(serving: Coroutine[None, None, None]) -> None:
    """Run it to its end, on the faster event loop where that installs."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        runner.run(serving)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="An SMTP server that takes every letter and writes down what it saw.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--book", type=Path, required=True, help="the file that arrivals are appended to")
    parser.add_argument("--no-hashes", dest="hashes", action="store_false", help="do not hash contents")
    given = parser.parse_args()
    run(Sink.serve(Book(given.book), Manners(), given.port, hashes=given.hashes))


if __name__ == "__main__":
    main()
