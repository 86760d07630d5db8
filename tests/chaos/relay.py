"""An SMTP relay that logs every mail transaction and misbehaves as real relays do.

    python -m tests.chaos.relay --port 2525 --control 2526 --log arrivals.tsv --seed 7

A line of JSON on the control port sets its misbehavior, such as `{"drop": 0.01}`. With `{"away": true}` it accepts no
connection, and replies 421 to the next MAIL FROM of an open one. Its decisions about a letter depend on the seed, the
recipient and the number of attempts, not on the order of letters.
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
from tests.chaos.misbehavior import Misbehavior, RelayBehavior
from tests.chaos.relay_log import CUT, HELD, REFUSED, TAKEN, Arrival, RelayLog, names
from tests.waiting import TIMEOUT

CLOSING = b"421 4.3.2 closing down\r\n"
HOLD_SECONDS = 3600.0  # longer than any scenario
LINGER_SECONDS = 10.0  # for a client to close the connection after the relay did
MINIMAL_BUFFER = 2304  # octets of a connection's input that Linux buffers at least


class RelayState(RelayBehavior):
    """The state that the relay's connections share."""

    def __init__(self, log: RelayLog, seed: int) -> None:
        super().__init__(seed)
        self.log = log
        self.connections: set[MisbehavingDialogue] = set()
        self._accepted = 0

    def add(self, dialogue: "MisbehavingDialogue") -> int:
        """Add a connection and return its number."""
        self.connections.add(dialogue)
        self._accepted += 1
        return self._accepted


class MisbehavingDialogue(Dialogue):
    """One connection to the misbehaving relay."""

    def __init__(self, state: RelayState) -> None:
        self._content = hashlib.sha256()
        self._parts: list[bytes] = []
        super().__init__(lambda _: None)
        self._state = state
        self._pending: Iterator[bytes] | None = None  # the remaining replies while one is delayed
        self._backlog = b""  # input received meanwhile
        self._backlog_at = 0.0  # when its first octet was received
        self._pause = 0.0  # seconds before the next reply
        self._is_over = False
        self._recipient = ""
        self._letters = 0

    # The replies.

    def greeting(self) -> bytes:
        self.number = self._state.add(self)
        return self._storm("connection", self.number) or super().greeting()

    def mail(self) -> bytes:
        if self._state.misbehavior.away:
            self._is_over = True
            return CLOSING
        self._letters += 1
        return self._storm("MAIL", self.number, self._letters) or super().mail()

    def recipient(self, address: str) -> bytes:
        misbehavior, self._recipient = self._state.misbehavior, address
        self._state.tries[address] += 1
        nth = self._state.tries[address]
        if address == misbehavior.hold:
            self._pause = HOLD_SECONDS
            self._write(HELD, 0)
        if self._state.happens(misbehavior.refuse, "refuse", address):
            return self._refuse(550, "550 5.1.1 no such mailbox\r\n")
        if nth == 1 and self._state.happens(misbehavior.greylist, "greylist", address):
            return self._refuse(450, "450 4.7.1 greylisted, come back later\r\n")
        return super().recipient(address)

    def content(self) -> bytes:
        reply = super().content()
        if reply.startswith(b"354") and self._state.happens(self._state.misbehavior.slow, "slow", self.number):
            self._slow_down()
        return reply

    def end(self) -> bytes:
        misbehavior, attempt = self._state.misbehavior, (self._recipient, self._state.tries[self._recipient])
        self._pause = misbehavior.delay
        if self._state.happens(misbehavior.drop, "drop", *attempt):
            self._is_over = True
            self._write(TAKEN if self._state.happens(0.5, "drop takes", *attempt) else CUT, 0)
            return b""
        if storm := self._storm("end", *attempt):
            self._write(REFUSED, 421)
            return storm
        if not self._state.happens(misbehavior.forget, "forget", *attempt):
            self._write(TAKEN, 250)
        if self._state.happens(misbehavior.double, "double", *attempt):
            self._write(TAKEN, 250)
        return super().end()

    def _storm(self, *subject: object) -> bytes:
        """Return 421 now and then, and close the connection (RFC 5321 section 3.8)."""
        if not self._state.happens(self._state.misbehavior.storm, "storm", *subject):
            return b""
        self._is_over = True
        return b"421 4.3.2 too busy, come back later\r\n"

    def _refuse(self, code: int, reply: str) -> bytes:
        self._write(REFUSED, code)
        return reply.encode()

    def _write(self, outcome: str, reply_code: int) -> None:
        if outcome == TAKEN:
            self._state.log.keep(self._content.hexdigest(), self._parts)
        times = self.mail_at, time.monotonic()
        envelope, letter = (self.sender or "", self._recipient), (*names(self._head), self._content.hexdigest())
        self._state.log.write(Arrival(outcome, reply_code, self.number, *times, *envelope, *letter, self._octets))

    # As in the sink, but a reply may be delayed, and input after it waits meanwhile.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._is_over:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._recipient and self._is_content:
            self._write(CUT, 0)
        self._is_over = True
        self._state.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        now = time.monotonic()
        if self._pending:
            self._backlog_at = self._backlog_at if self._backlog else now
            self._backlog += data
            return
        self._process(data, now)

    def _process(self, data: bytes, received_at: float) -> None:
        self._now = received_at
        self._pending = self._replies(self._rest + data)
        self._send_pending()

    def _send_pending(self) -> None:
        assert self._pending
        for reply in self._pending:
            if pause := self._pause:
                self._pause = 0.0
                asyncio.get_running_loop().call_later(pause, self._send_delayed, reply)
                return
            self._send(reply)
            if self._is_over:
                return
        self._pending = None
        if self._backlog:
            data, self._backlog = self._backlog, b""
            self._process(data, self._backlog_at)
        elif self._state.misbehavior.away:
            self.close_if_idle()

    def _send_delayed(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self._send(reply)
            if not self._is_over:
                self._send_pending()

    def _send(self, reply: bytes) -> None:
        if reply and not self.transport.is_closing():
            self.transport.write(reply)
        if self._is_over:
            self._close()

    def _close(self) -> None:
        """Close only the sending side: with unread input the system would send RST, and the last reply be lost."""
        if not self.transport.is_closing():
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abort)

    def close_if_idle(self) -> None:
        """Reply 421 and close, unless a mail transaction is open."""
        if self.sender is None and not self._pending and not self._is_over:
            self._is_over = True
            self._send(CLOSING)

    def _slow_down(self) -> None:
        """Read one octet a second for a while; input that the system has buffered counts as read."""
        loop, until = asyncio.get_running_loop(), time.monotonic() + self._state.misbehavior.slow_for
        file = self.transport.get_extra_info("socket").fileno()
        is_cut = self._state.happens(0.5, "slow is cut", self.number)
        self.transport.pause_reading()
        with socket.socket(fileno=os.dup(file)) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MINIMAL_BUFFER)

        def read_one() -> None:
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
            loop.call_later(1, read_one)

        loop.call_soon(read_one)

    # The sink's steps of a letter, extended.

    def _reset(self) -> None:
        super()._reset()
        self._content = hashlib.sha256()
        self._parts = []
        self._recipient = ""

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        super()._add_content(data, start, end)
        self._content.update(data[start:end])
        if self._state.log.letters:
            self._parts.append(data[start:end])

    def _other_command(self, verb: bytes) -> bytes:
        if verb.startswith(b"QUIT"):
            self._is_over = True
            return b"221 2.0.0 bye\r\n"
        return super()._other_command(verb)


async def serve(port: int, control: int, state: RelayState) -> None:
    """Serve SMTP and the control port on 127.0.0.1 until SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server: asyncio.Server | None = None

    async def open_or_close() -> None:
        nonlocal server
        if state.misbehavior.away and server:
            server.close()
            server = None
            for dialogue in list(state.connections):
                dialogue.close_if_idle()
        elif not state.misbehavior.away and not server:
            server = await loop.create_server(lambda: MisbehavingDialogue(state), "127.0.0.1", port, backlog=1000)

    async def control_relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            state.misbehavior = Misbehavior(**json.loads(line))
            await open_or_close()
            writer.write(b"ok\n")
        writer.close()

    await asyncio.start_server(control_relay, "127.0.0.1", control)
    await open_or_close()  # after the control port: a client that can connect may use the control port too
    await stop.wait()


def change(control: int, misbehavior: dict[str, Any]) -> None:
    """Set the misbehavior of the relay with this control port; names that are missing get their defaults."""
    unknown = misbehavior.keys() - {field.name for field in fields(Misbehavior)}
    assert not unknown, unknown
    with socket.create_connection(("127.0.0.1", control), timeout=TIMEOUT) as connection:
        connection.sendall(json.dumps(misbehavior).encode() + b"\n")
        assert connection.recv(10) == b"ok\n"


def main() -> None:
    """Run the relay with the command line's options."""
    parser = argparse.ArgumentParser(description="A misbehaving SMTP relay")
    for name, kind in {"port": int, "control": int, "log": Path, "seed": int}.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--letters", type=Path, help="keep the accepted letters in this folder")
    arguments = parser.parse_args()
    log = RelayLog(arguments.log, arguments.letters)
    uvloop.run(serve(arguments.port, arguments.control, RelayState(log, arguments.seed)))


if __name__ == "__main__":
    main()
