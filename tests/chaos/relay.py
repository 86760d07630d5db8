"""A relay with moods: it writes down every mail transaction, and misbehaves as real relays do, as often as it is told.

    python -m tests.chaos.relay --port 2525 --control 2526 --book arrivals.tsv --seed 7

A line of JSON on the control port changes its mood, `{"drop": 0.01}`, or sends everybody away, `{"away": true}`: then
nobody can connect, and whoever is connected gets 421 instead of another letter's beginning. What it does to a letter
depends on the seed, the recipient and how often it was tried, not on the order in which letters come.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import uvloop

from newsletter.bench.recording_sink import Dialogue
from tests.chaos.misbehaviour import Mood, Temper
from tests.chaos.relay_log import CUT, HELD, REFUSED, TAKEN, Arrival, Book, names

CLOSING = b"421 4.3.2 closing down\r\n"
FOREVER = 3600.0  # seconds
LINGER = 10.0  # seconds that a caller has to hang up after we did
TRICKLE = 2304  # octets that Linux keeps of a connection's input at least, whatever is asked for


class Office(Temper):
    """What the relay's connections share."""

    def __init__(self, book: Book, seed: int) -> None:
        super().__init__(seed)
        self.book = book
        self.connections: set[Conversation] = set()
        self._entered = 0

    def enter(self, conversation: "Conversation") -> int:
        self.connections.add(conversation)
        self._entered += 1
        return self._entered


class Conversation(Dialogue):
    """One connection."""

    def __init__(self, office: Office) -> None:
        self._content = hashlib.sha256()
        self._parts: list[bytes] = []
        super().__init__(lambda _: None)
        self._office = office
        self._under_way: Iterator[bytes] | None = None  # the replies to what was read, while one takes its time
        self._backlog = b""
        self._came_at = 0.0  # the first of it
        self._pause = 0.0  # seconds that the next reply takes
        self._is_over = False
        self._recipient = ""
        self._letters = 0

    # What it answers.

    def greeting(self) -> bytes:
        self.number = self._office.enter(self)
        return self._storm("connection", self.number) or super().greeting()

    def mail(self) -> bytes:
        if self._office.mood.away:
            self._is_over = True
            return CLOSING
        self._letters += 1
        return self._storm("MAIL", self.number, self._letters) or super().mail()

    def recipient(self, address: str) -> bytes:
        mood, self._recipient = self._office.mood, address
        self._office.tries[address] += 1
        nth = self._office.tries[address]
        if address == mood.hold:
            self._pause = FOREVER
            self._write(HELD, 0)
        if self._office.happens(mood.refuse, "refuse", address):
            return self._refuse(550, "550 5.1.1 no such mailbox\r\n")
        if nth == 1 and self._office.happens(mood.greylist, "greylist", address):
            return self._refuse(450, "450 4.7.1 greylisted, come back later\r\n")
        return super().recipient(address)

    def content(self) -> bytes:
        reply = super().content()
        if reply.startswith(b"354") and self._office.happens(self._office.mood.slow, "slow", self.number):
            self._slow_down()
        return reply

    def end(self) -> bytes:
        mood, about = self._office.mood, (self._recipient, self._office.tries[self._recipient])
        self._pause = mood.delay
        if self._office.happens(mood.drop, "drop", *about):
            self._is_over = True
            self._write(TAKEN if self._office.happens(0.5, "drop takes", *about) else CUT, 0)
            return b""
        if storm := self._storm("end", *about):
            self._write(REFUSED, 421)
            return storm
        if not self._office.happens(mood.forget, "forget", *about):
            self._write(TAKEN, 250)
        if self._office.happens(mood.double, "double", *about):
            self._write(TAKEN, 250)
        return super().end()

    def _storm(self, *about: object) -> bytes:
        """421 once in a while, and the connection is closed (RFC 5321 section 3.8)."""
        if not self._office.happens(self._office.mood.storm, "storm", *about):
            return b""
        self._is_over = True
        return b"421 4.3.2 too busy, come back later\r\n"

    def _refuse(self, code: int, reply: str) -> bytes:
        self._write(REFUSED, code)
        return reply.encode()

    def _write(self, outcome: str, told: int) -> None:
        if outcome == TAKEN:
            self._office.book.keep(self._content.hexdigest(), self._parts)
        times = self.mail_at, time.monotonic()
        envelope, letter = (self.sender or "", self._recipient), (*names(self._head), self._content.hexdigest())
        self._office.book.write(Arrival(outcome, told, self.number, *times, *envelope, *letter, self._octets))

    # What drives it: as the sink does, but a reply may take its time, and nothing after it is read meanwhile.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._is_over:
            self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._recipient and self._is_content:
            self._write(CUT, 0)
        self._is_over = True
        self._office.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        now = time.monotonic()
        if self._under_way:
            self._came_at = self._came_at if self._backlog else now
            self._backlog += data
            return
        self._read(data, now)

    def _read(self, data: bytes, at: float) -> None:
        self._now = at
        self._under_way = self._replies(self._rest + data)
        self._go_on()

    def _go_on(self) -> None:
        assert self._under_way
        for reply in self._under_way:
            if pause := self._pause:
                self._pause = 0.0
                asyncio.get_running_loop().call_later(pause, self._say_late, reply)
                return
            self._say(reply)
            if self._is_over:
                return
        self._under_way = None
        if self._backlog:
            data, self._backlog = self._backlog, b""
            self._read(data, self._came_at)
        elif self._office.mood.away:
            self.leave()

    def _say_late(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self._say(reply)
            if not self._is_over:
                self._go_on()

    def _say(self, reply: bytes) -> None:
        if reply and not self.transport.is_closing():
            self.transport.write(reply)
        if self._is_over:
            self._hang_up()

    def _hang_up(self) -> None:
        """End our side only: with what still comes unread, the system would reset and our last answer be lost."""
        if not self.transport.is_closing():
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER, self.transport.abort)

    def leave(self) -> None:
        """Say goodbye, unless a letter is under way."""
        if self.sender is None and not self._under_way and not self._is_over:
            self._is_over = True
            self._say(CLOSING)

    def _slow_down(self) -> None:
        """Read one octet a second for a while; what the system has taken in already counts as read."""
        loop, until = asyncio.get_running_loop(), time.monotonic() + self._office.mood.slow_for
        file = self.transport.get_extra_info("socket").fileno()
        is_cut = self._office.happens(0.5, "slow is cut", self.number)
        self.transport.pause_reading()
        with socket.socket(fileno=os.dup(file)) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TRICKLE)

        def trickle() -> None:
            if self._is_over or self.transport.is_closing():
                return
            if time.monotonic() >= until:
                self.transport.abort() if is_cut else self.transport.resume_reading()
                return
            try:
                octet = os.read(file, 1)
            except BlockingIOError:
                octet = b""
            if octet:
                self.data_received(octet)
            loop.call_later(1, trickle)

        loop.call_soon(trickle)

    # What the sink does with a letter, and more.

    def _forget(self) -> None:
        super()._forget()
        self._content = hashlib.sha256()
        self._parts = []
        self._recipient = ""

    def _take_in(self, data: bytes, start: int, end: int) -> None:
        super()._take_in(data, start, end)
        self._content.update(data[start:end])
        if self._office.book.letters:
            self._parts.append(data[start:end])

    def _aside(self, verb: bytes) -> bytes:
        if verb.startswith(b"QUIT"):
            self._is_over = True
            return b"221 2.0.0 bye\r\n"
        return super()._aside(verb)


async def serve(port: int, control: int, office: Office) -> None:
    """Serve on those ports of this machine until the process is told to end."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    door: asyncio.Server | None = None

    async def open_or_close() -> None:
        nonlocal door
        if office.mood.away and door:
            door.close()
            door = None
            for conversation in list(office.connections):
                conversation.leave()
        elif not office.mood.away and not door:
            door = await loop.create_server(lambda: Conversation(office), "127.0.0.1", port, backlog=1000)

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            office.mood = Mood(**json.loads(line))
            await open_or_close()
            writer.write(b"ok\n")
        writer.close()

    await asyncio.start_server(obey, "127.0.0.1", control)
    await open_or_close()  # in this order: whoever finds it open may want to change its mood
    await over.wait()


def change(control: int, mood: dict[str, Any]) -> None:
    """Put the relay whose control port this is into another mood; what is not named is as usual."""
    unknown = mood.keys() - {field.name for field in fields(Mood)}
    assert not unknown, unknown
    with socket.create_connection(("127.0.0.1", control), timeout=20) as line:
        line.sendall(json.dumps(mood).encode() + b"\n")
        assert line.recv(10) == b"ok\n"


def main() -> None:
    words = argparse.ArgumentParser(description="A relay with moods")
    for name, kind in {"port": int, "control": int, "book": Path, "seed": int}.items():
        words.add_argument(f"--{name}", type=kind, required=True)
    words.add_argument("--letters", type=Path, help="keep the letters that are taken in this folder")
    given = words.parse_args()
    uvloop.run(serve(given.port, given.control, Office(Book(given.book, given.letters), given.seed)))


if __name__ == "__main__":
    main()
