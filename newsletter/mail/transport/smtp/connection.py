"""A connection to a relay: the socket under an opening, and then under transactions."""

import asyncio
import select
import ssl
import time
from typing import Protocol, cast

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.handshake import HandshakeStep, handshake
from newsletter.mail.transport.smtp.reply_reader import ParsedReply, ReplyReader
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.transactions import AHEAD, Decision, Transactions
from newsletter.mail.transport.smtp.unavailable import UnavailableError, failed
from newsletter.mail.transport.transport import Message, Reply
from newsletter.relays import Relay

CLOSED = Reply(None, None, "the relay closed the connection")
LATE = Reply(None, None, "the relay did not answer in time")
LEAVING = 2.0  # seconds for a good-bye


class Owner(Protocol):
    """Whose connection it is."""

    def opened(self, connection: "Connection", offers: Extensions) -> None:
        """Letters may begin."""

    def next(self) -> Message | None:
        """The letter to begin now; None where there is none at the moment."""

    def declined(self, decision: Decision) -> None:
        """That letter was not even asked for: this relay cannot take it."""

    def begun(self) -> None:
        """That letter begins: its MAIL FROM is about to be written."""

    def decided(self, decision: Decision) -> None:
        """What became of a letter."""

    def ended(self, connection: "Connection", why: UnavailableError | Reply | None) -> None:
        """No letter goes over it any more, and each that did has been decided. None: we left."""


class Connection(asyncio.Protocol):
    """One connection, from the moment that it is to be opened. Its owner hears once that it ended."""

    def __init__(
        self,
        relay: Relay,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        *,
        ehlo_name: str,
        tls: ssl.SSLContext,
        stuffing: DotStuffing,
        patience: Timeouts,
        addresses: Endpoints,
    ) -> None:
        self.since = time.monotonic()  # that something happened on it
        self.gone: asyncio.Future[None] = loop.create_future()  # done when the socket is closed
        self._relay, self._owner = relay, owner
        self._tls, self._stuffing, self._patience = tls, stuffing, patience
        self._loop, self._addresses, self._left = loop, addresses, 0
        self._opening = handshake(relay, ehlo_name=ehlo_name)
        self._need: bytes | HandshakeStep = next(self._opening)
        self._reader = ReplyReader()
        self._talk: Transactions | None = None
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_full = False  # more than AHEAD octets have not left yet
        self._is_retired = self._is_leaving = self._has_ended = False

    def open(self) -> None:
        """Begin to connect."""
        self._task = self._loop.create_task(self._connect())

    @property
    def is_open(self) -> bool:
        """Whether letters may go over it."""
        return self._talk is not None and not self._has_ended

    @property
    def is_free(self) -> bool:
        """Whether it is open and no letter is under way."""
        return self._talk is not None and self._talk.is_free and not self._has_ended

    @property
    def has_letter(self) -> bool:
        """Whether a letter is under way over it."""
        return self._talk is not None and self._talk.has_letter and not self._has_ended

    @property
    def decided(self) -> int:
        """How many letters the relay has decided about, and stayed."""
        return self._talk.decided if self._talk else 0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing arrived while nobody listened: what a relay says unasked is that it hangs up."""
        assert self._transport
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def go_on(self) -> None:
        """Say what is due, and begin the next letter where there is room for one."""
        talk, transport = self._talk, self._transport
        if talk is None or transport is None or self._has_ended:
            return
        while talk.has_room and not self._is_retired and (message := self._owner.next()):
            if refusal := talk.begin(message):
                self._owner.declined(Decision(message, *refusal))
                continue
            self._owner.begun()
            break
        now = time.monotonic()
        if words := talk.say(now):
            self.since = now
            transport.write(b"".join(words))
        elif (talk.is_spent or self._is_retired) and talk.is_free:
            self.leave()

    def check(self, now: float) -> None:
        """Lose patience where it is time to."""
        left = self._transport.get_write_buffer_size() if self._transport else 0
        if left < self._left:
            self.since = now
        self._left = left
        if now - self.since <= self._allowed():
            return
        if self._is_leaving:
            self._drop()
        else:
            self._end(LATE)

    def retire(self) -> None:
        """Begin no other letter, and leave after those that are under way."""
        self._is_retired = True
        self.go_on()

    def leave(self) -> None:
        """Say good-bye; the owner is told at once, the socket waits a moment for the answer."""
        if self._has_ended or not self.is_free or not self._transport:
            self._end(None)
            return
        self._has_ended = self._is_leaving = True
        self.since = time.monotonic()
        self._transport.write(b"QUIT\r\n")
        self._owner.ended(self, None)

    def abort(self) -> None:
        """Hang up. Letters that are under way are decided by how far they got."""
        self._end(None)
        self._drop()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The greeting comes next."""
        self._take(cast("asyncio.Transport", transport))
        self.since = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Replies, or pieces of them."""
        now = time.monotonic()
        if self._has_ended:
            self._drop()
        elif self._talk is None:
            self._listen(data, now)
        else:
            decisions = self._talk.hear(data, now)
            if self._reader.is_between:  # a piece of a reply is none: it could go on for ever
                self.since = now
            for decision in decisions:
                self._owner.decided(decision)
            if self._talk.over:
                self._end(self._talk.over)
            else:
                self.go_on()

    def eof_received(self) -> None:
        """They hung up. What of ours has not left by now need not leave any more."""
        self._end(CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._bury()
        self._end(replies.ours(exc) if exc else CLOSED)

    def pause_writing(self) -> None:
        """More than AHEAD octets wait to be taken."""
        self._is_full = True

    def resume_writing(self) -> None:
        """At most AHEAD octets wait: the dot of the last letter may have left."""
        self._is_full = False

    # Opening

    async def _connect(self) -> None:
        is_tls = self._relay.scheme == "smtps"
        tls, name, farewell = (self._tls, self._relay.host, LEAVING) if is_tls else (None, None, None)
        try:
            connected = await self._addresses.connect(within=self._patience.connect)
            await self._loop.create_connection(
                lambda: self, sock=connected, ssl=tls, server_hostname=name, ssl_shutdown_timeout=farewell
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the relay cannot be used
            self._end(failed(error))

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        try:
            encrypted = await self._loop.start_tls(
                transport, self, self._tls, server_hostname=self._relay.host, ssl_shutdown_timeout=LEAVING
            )
        except Exception as error:  # noqa: BLE001 - likewise
            self._end(failed(error))
            transport.abort()
            self._bury()
            return
        if not self._has_ended and encrypted:
            self._take(encrypted)
            self._reader = ReplyReader()
            self._proceed(None)
        elif encrypted:
            encrypted.abort()

    def _take(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=AHEAD, low=AHEAD)
        if self._has_ended:
            transport.abort()

    def _listen(self, data: bytes, now: float) -> None:
        heard = self._reader.feed(data)
        if heard:
            self.since = now
        # Whoever speaks unasked may be somebody between us, whose words would count as the relay's once all is
        # encrypted (RFC 3207 section 4.2, CVE-2011-0411).
        if self._need is HandshakeStep.TLS or len(heard) > 1 or (heard and not self._reader.is_between):
            self._end(UnavailableError("the relay speaks before it is asked"))
        elif heard:
            self._proceed(heard[0])

    def _proceed(self, heard: ParsedReply | None) -> None:
        assert self._transport
        try:
            self._need = self._opening.send(heard)
        except StopIteration as done:
            self._talk = Transactions(done.value, self._stuffing, self._reader)
            self._owner.opened(self, done.value)
            self.go_on()
        except UnavailableError as error:
            self._end(error)
        else:
            if self._need is HandshakeStep.TLS:
                self._task = self._loop.create_task(self._encrypt(self._transport))
            elif isinstance(self._need, bytes):
                self._transport.write(self._need)

    # Ending

    def _allowed(self) -> float:
        """Seconds that may pass without anything happening."""
        patience = self._patience
        if self._is_leaving:
            return LEAVING
        if self._transport is None or self._need is HandshakeStep.TLS:
            return patience.connect
        if self._talk is None:
            return patience.greeting if self._need is HandshakeStep.REPLY else patience.command
        return patience.block if self._is_full else patience.with_step(self._talk.awaits)

    def _end(self, why: UnavailableError | Reply | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._talk:
            for decision in self._talk.lose(why if isinstance(why, Reply) else CLOSED, unsent=self._is_full):
                self._owner.decided(decision)
        elif isinstance(why, Reply):
            why = UnavailableError(why.text)
        self._owner.ended(self, why)
        self._drop()

    def _drop(self) -> None:
        if self._transport:
            self._transport.abort()
        elif self._task:
            self._task.cancel()
            self._bury()

    def _bury(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)
