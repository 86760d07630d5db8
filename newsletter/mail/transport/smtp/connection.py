"""A connection to a relay: the socket that runs a handshake, and then transactions."""

import asyncio
import select
import socket
import ssl
import time
from typing import Protocol, cast

from newsletter.mail.transport import replies
from newsletter.mail.transport.smtp.command_queue import MAX_AHEAD_OCTETS
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.handshake import Handshake, HandshakeStep
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.transactions import FinishedMessage, Transactions
from newsletter.mail.transport.smtp.unavailable import UnavailableError, from_error
from newsletter.mail.transport.transport import Message, Reply
from newsletter.relays import Relay

CLOSED = Reply(None, None, "the relay closed the connection")
TIMED_OUT = Reply(None, None, "the relay did not answer in time")
QUIT_TIMEOUT = 2.0  # seconds for the reply to QUIT, and for the end of TLS


class ConnectionOwner(Protocol):
    """Gives a connection its messages, and is told what happens on it."""

    def opened(self, connection: "Connection", extensions: Extensions) -> None:
        """Messages may begin."""

    def next_message(self) -> Message | None:
        """Return the message to begin now; None if there is none at the moment."""

    def not_offered(self, finished: FinishedMessage) -> None:
        """The message was not offered to the relay, which cannot take it."""

    def message_begun(self) -> None:
        """A message begins: its MAIL FROM is about to be written."""

    def message_finished(self, finished: FinishedMessage) -> None:
        """A message has its outcome."""

    def ended(self, connection: "Connection", reason: UnavailableError | Reply | None) -> None:
        """Each of its messages has its outcome, and no other will begin. `reason` is None if we left."""


class Connection(asyncio.Protocol):
    """One connection, from before it is opened until its owner is told, once, that it ended."""

    def __init__(
        self,
        relay: Relay,
        owner: ConnectionOwner,
        loop: asyncio.AbstractEventLoop,
        *,
        ehlo_name: str,
        tls: ssl.SSLContext,
        stuffing: DotStuffing,
        timeouts: Timeouts,
        endpoints: Endpoints,
    ) -> None:
        self.active_at = time.monotonic()  # when something last happened on it
        self.closed: asyncio.Future[None] = loop.create_future()  # done when the socket is closed
        self._relay, self._owner = relay, owner
        self._tls, self._stuffing, self._timeouts = tls, stuffing, timeouts
        self._loop, self._endpoints, self._unsent = loop, endpoints, 0
        self._handshake = Handshake(relay, ehlo_name=ehlo_name)
        self._transactions: Transactions | None = None  # set when the handshake is done
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_full = False  # more than MAX_AHEAD_OCTETS octets have not left yet
        self._is_retired = self._is_quitting = self._has_ended = False

    def open(self) -> None:
        """Start to connect."""
        self._task = self._loop.create_task(self._connect())

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent over it."""
        return self._transactions is not None and not self._has_ended

    @property
    def is_idle(self) -> bool:
        """Whether it is open and no message is under way."""
        return self._transactions is not None and self._transactions.is_idle and not self._has_ended

    @property
    def has_message(self) -> bool:
        """Whether a message is under way."""
        return self._transactions is not None and self._transactions.has_message and not self._has_ended

    @property
    def finished_count(self) -> int:
        """How many messages got an outcome after which the relay kept the connection open."""
        return self._transactions.finished_count if self._transactions else 0

    @property
    def has_no_input(self) -> bool:
        """Whether nothing arrived while the loop did not run: an unsolicited reply means that the relay hangs up."""
        assert self._transport
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def proceed(self) -> None:
        """Begin the next message if one may begin, and write what is due."""
        transactions, transport = self._transactions, self._transport
        if transactions is None or transport is None or self._has_ended:
            return
        while self._can_begin(transactions, transport) and (message := self._owner.next_message()):
            if refusal := transactions.begin(message):
                self._owner.not_offered(FinishedMessage(message, *refusal))
                continue
            self._owner.message_begun()
            break
        now = time.monotonic()
        if pieces := transactions.output(now):
            self.active_at = now
            transport.write(b"".join(pieces))
        elif (transactions.has_too_many_refusals or self._is_retired) and transactions.is_idle:
            self.quit()

    def _can_begin(self, transactions: Transactions, transport: asyncio.Transport) -> bool:
        """Return whether a message may begin; not behind content that would wait in our buffer until it is too late."""
        if self._is_retired or not transactions.can_begin:
            return False
        room = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        return bool(transactions.due_octets <= room // 2)  # the socket takes it at once; Linux doubles it (socket(7))

    def check_timeout(self, now: float) -> None:
        """End the connection if the relay has taken too long. Sending octets counts as activity."""
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        if unsent < self._unsent:
            self.active_at = now
        self._unsent = unsent
        if now - self.active_at <= self._timeout():
            return
        if self._is_quitting:
            self._close()
        else:
            self._end(TIMED_OUT)

    def retire(self) -> None:
        """Begin no other message, and quit after those under way."""
        self._is_retired = True
        self.proceed()

    def quit(self) -> None:
        """Send QUIT; the owner is told at once, and the socket waits a moment for the reply."""
        if self._has_ended or not self.is_idle or not self._transport:
            self._end(None)
            return
        self._has_ended = self._is_quitting = True
        self.active_at = time.monotonic()
        self._transport.write(b"QUIT\r\n")
        self._owner.ended(self, None)

    def abort(self) -> None:
        """Hang up. The outcome of messages under way depends on how far they got."""
        self._end(None)
        self._close()

    # Callbacks of the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the greeting."""
        self._use(cast("asyncio.Transport", transport))
        self.active_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Process replies, or parts of them."""
        now = time.monotonic()
        if self._has_ended:
            self._close()
        elif self._transactions is None:
            self._continue_handshake(data, now)
        else:
            finished_messages = self._transactions.receive(data, now)
            if self._handshake.reader.is_empty:  # an incomplete reply is no activity: it could go on forever
                self.active_at = now
            for finished in finished_messages:
                self._owner.message_finished(finished)
            if self._transactions.ended_by:
                self._end(self._transactions.ended_by)
            else:
                self.proceed()

    def eof_received(self) -> None:
        """End: the relay hung up, so what is unsent need not be sent any more."""
        self._end(CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the socket is closed."""
        self._mark_closed()
        self._end(replies.from_error(exc) if exc else CLOSED)

    def pause_writing(self) -> None:
        """Note that more than MAX_AHEAD_OCTETS octets are unsent."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Note that at most MAX_AHEAD_OCTETS octets are unsent: the last final dot may have left."""
        self._is_full = False

    # Opening

    async def _connect(self) -> None:
        is_tls = self._relay.scheme == "smtps"
        tls, name, tls_timeout = (self._tls, self._relay.host, QUIT_TIMEOUT) if is_tls else (None, None, None)
        try:
            connected = await self._endpoints.connect(within=self._timeouts.connect)
            await self._loop.create_connection(
                lambda: self, sock=connected, ssl=tls, server_hostname=name, ssl_shutdown_timeout=tls_timeout
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the relay cannot be used
            self._end(from_error(error))

    async def _encrypt(self, transport: asyncio.Transport) -> None:
        try:
            encrypted = await self._loop.start_tls(
                transport, self, self._tls, server_hostname=self._relay.host, ssl_shutdown_timeout=QUIT_TIMEOUT
            )
        except Exception as error:  # noqa: BLE001 - likewise
            self._end(from_error(error))
            transport.abort()
            self._mark_closed()
            return
        if not self._has_ended and encrypted:
            self._use(encrypted)
            self._handshake.encrypted()
            self._follow_handshake()
        elif encrypted:
            encrypted.abort()

    def _use(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=MAX_AHEAD_OCTETS, low=MAX_AHEAD_OCTETS)
        if self._has_ended:
            transport.abort()

    def _continue_handshake(self, data: bytes, now: float) -> None:
        try:
            is_new = self._handshake.receive(data)
        except UnavailableError as error:
            self._end(error)
            return
        if is_new:
            self.active_at = now
            self._follow_handshake()

    def _follow_handshake(self) -> None:
        assert self._transport
        if self._handshake.extensions is not None:
            self._transactions = Transactions(self._handshake.extensions, self._stuffing, self._handshake.reader)
            self._owner.opened(self, self._handshake.extensions)
            self.proceed()
        elif self._handshake.step is HandshakeStep.TLS:
            self._task = self._loop.create_task(self._encrypt(self._transport))
        elif isinstance(self._handshake.step, bytes):
            self._transport.write(self._handshake.step)

    # Ending

    def _timeout(self) -> float:
        """Return the seconds that may pass without activity."""
        timeouts, step = self._timeouts, self._handshake.step
        if self._is_quitting:
            return QUIT_TIMEOUT
        if self._transport is None or step is HandshakeStep.TLS:
            return timeouts.connect
        if self._transactions is None:
            return timeouts.greeting if step is HandshakeStep.GREETING else timeouts.command
        return timeouts.block if self._is_full else timeouts.for_reply(self._transactions.awaits)

    def _end(self, reason: UnavailableError | Reply | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._transactions:
            lost = reason if isinstance(reason, Reply) else CLOSED
            for finished in self._transactions.connection_lost(lost, unsent=self._is_full):
                self._owner.message_finished(finished)
        elif isinstance(reason, Reply):
            reason = UnavailableError(reason.text)
        self._owner.ended(self, reason)
        self._close()

    def _close(self) -> None:
        if self._transport:
            self._transport.abort()
        elif self._task:
            self._task.cancel()
            self._mark_closed()

    def _mark_closed(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
