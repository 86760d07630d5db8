"""A route: one relay with its connections, its pace, and its share of the messages."""

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence

from newsletter.mail.transport import replies
from newsletter.mail.transport.pacing import Pace
from newsletter.mail.transport.smtp.connection import Connection
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.relay_health import RelayHealth
from newsletter.mail.transport.smtp.send_session import SendSession
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.transactions import SLOW_SECONDS, FinishedMessage
from newsletter.mail.transport.smtp.unavailable import UnavailableError
from newsletter.mail.transport.transport import Message, Outcome, Reply, TransportProblem
from newsletter.relays import Relay

FEWER_CONNECTIONS_SECONDS = 60.0  # for which the route makes do with the connections that the relay accepts
BUSY_SECONDS = 1.0  # without a free connection, after which a route counts as busy


class Route:
    """One relay. It owns the connections, and gives them messages during a send session."""

    def __init__(
        self,
        relay: Relay,
        pace: Pace,
        loop: asyncio.AbstractEventLoop,
        *,
        ehlo_name: str,
        tls: ssl.SSLContext,
        connection_limit: int,
        stuffing: DotStuffing,
        timeouts: Timeouts,
        on_open: Callable[[Relay, Extensions], None],
    ) -> None:
        self.others: Sequence[Route] = ()  # the routes that share the messages with this one
        self.weighted_count = 0.0  # messages begun, divided by the weight; the route with the lowest count is next
        self.begun_at = -math.inf
        self.connections: list[Connection] = []
        self.closing: list[Connection] = []
        self._handed_over: deque[Message] = deque()  # taken by other routes, which cannot send them
        self._supports_utf8 = self.has_supported_utf8 = False  # its newest connection; and whether any ever did
        self._relay, self._pace, self._loop = relay, pace, loop
        self._ehlo_name, self._tls, self._stuffing, self._timeouts = ehlo_name, tls, stuffing, timeouts
        self._on_open = on_open
        self._endpoints = Endpoints(relay, loop)
        self._health = RelayHealth(relay)
        self._connection_limit = self._allowed_connections = connection_limit
        self._accepted_connections, self._accepted_until = connection_limit, -math.inf
        self._session: SendSession | None = None
        self._session_ended_at = 0.0
        self._pace_timer: asyncio.TimerHandle | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a connection is open."""
        return any(connection.is_open for connection in self.connections)

    @property
    def has_idle_connection(self) -> bool:
        """Whether a message could begin at once on one of the connections."""
        return any(connection.is_idle for connection in self.connections)

    @property
    def may_support_utf8(self) -> bool:
        """Whether the relay accepts addresses outside ASCII (RFC 6531), as far as is known."""
        return self._supports_utf8 if self.is_usable else self.has_connection

    @property
    def has_connection(self) -> bool:
        """Whether a connection is open or being opened."""
        return bool(self.connections)

    @property
    def problem(self) -> TransportProblem | None:
        """Why the relay cannot be used; None if nothing is known against it."""
        return self._health.problem

    def close_stale(self) -> None:
        """Close connections that ended between two sessions, or that were idle for too long."""
        for connection in [each for each in self.connections if each.is_idle]:
            if not connection.has_no_input:
                connection.abort()
            elif time.monotonic() - connection.active_at > self._timeouts.idle:
                connection.quit()
        for connection in self.closing:
            connection.check_timeout(time.monotonic())

    def begin(self, session: SendSession) -> None:
        """Take part in a send session."""
        now = time.monotonic()
        self._session = session
        for connection in self.connections:
            if not connection.is_open:
                connection.active_at += now - self._session_ended_at  # between sessions no reply could be read
        self._apply_connection_limit(now)
        self._open_connection(now, 1)
        self.wake()

    def end(self) -> None:
        """Leave the session. A connection in the middle of a message, because the session failed, is aborted."""
        self._return_handed_over(math.inf)
        self._session, self._session_ended_at = None, time.monotonic()
        if self._pace_timer:
            self._pace_timer.cancel()
            self._pace_timer = None
        for connection in list(self.connections):
            if connection.has_message:
                connection.abort()
        if self.is_usable:
            self._health.record_success()

    def check(self, now: float) -> None:
        """Check timeouts and limits; called every `CHECK_INTERVAL` seconds."""
        for connection in [*self.connections, *self.closing]:
            connection.check_timeout(now)
        self.closing = [connection for connection in self.closing if not connection.closed.done()]
        self._apply_connection_limit(now)
        self._open_connection(now, self._wanted_connections(now))
        self._return_handed_over(now)
        self.wake()

    def wake(self) -> None:
        """Let idle connections ask for messages."""
        for connection in list(self.connections):
            if connection.is_idle:
                connection.proceed()

    # Called by the connections

    def opened(self, connection: Connection, extensions: Extensions) -> None:
        """Join the routes in use.

        The route starts with the highest count among them, so that it does not make up for messages that they began
        while it could not be used.
        """
        self._on_open(self._relay, extensions)
        self._supports_utf8 = extensions.utf8
        self.has_supported_utf8 = self.has_supported_utf8 or extensions.utf8
        counts = (other.weighted_count for other in self.others if other.is_usable)
        self.weighted_count = max([self.weighted_count, *counts])

    def next_message(self) -> Message | None:
        """Return the next message, if it is this route's turn and its pace allows it."""
        session = self._session
        if session is None or not (self._handed_over or self._may_take(session)):
            return None
        if (delay := self._pace.delay()) > 0:
            self._pace_timer = self._pace_timer or self._loop.call_later(delay, self._on_pace_timer)
            return None
        if self._handed_over:
            self._return_handed_over(time.monotonic())
            return self._handed_over.popleft() if self._handed_over else None
        return session.next_message()

    def not_offered(self, finished: FinishedMessage) -> None:
        """Report a message that was not offered, or hand it over if only SMTPUTF8 is missing here (RFC 6531)."""
        if self._session is None:
            return
        if finished.reply is replies.NOT_ASCII:
            # Servers behind one name may differ in what they support. As this route now counts as one without SMTPUTF8,
            # the message cannot come back to it; it is not refused either if any server has supported SMTPUTF8.
            self._supports_utf8, now = False, time.monotonic()
            if able := [other for other in self.others if other.may_support_utf8]:
                min(able, key=lambda other: (not other.is_usable, other.is_busy(now))).hand_over(finished.message)
                return
            routes = (self, *self.others)
            if any(route.has_supported_utf8 for route in routes) or not all(each.is_usable for each in self.others):
                finished = finished._replace(outcome=Outcome.LATER)
        self._session.report(finished)

    def hand_over(self, message: Message) -> None:
        """Accept a message that another route has taken and cannot send."""
        self._handed_over.append(message)
        self._loop.call_soon(self.wake)

    def message_begun(self) -> None:
        """Count a message; from the second one of a session on, open another connection."""
        self._pace.message_begun()
        assert self._session
        self._session.begun += 1
        if self._session.begun > 1 and len(self.connections) < self._allowed_connections:
            self._open_connection(time.monotonic(), len(self.connections) + 1)
        if self.others:
            self.weighted_count += 1 / self._relay.weight
            self.begun_at = time.monotonic()
            for other in self.others:
                self._loop.call_soon(other.wake)

    def message_finished(self, finished: FinishedMessage) -> None:
        """Report a message's result, and let the pace learn from it."""
        if not self._session:
            return
        result = self._session.report(finished)
        if finished.outcome is not Outcome.UNTOUCHED:
            self._pace.record(result)
            if self._health.problem and finished.outcome is Outcome.TAKEN:
                self._health.record_success()

    def ended(self, connection: Connection, reason: UnavailableError | Reply | None) -> None:
        """Remove a connection, and record a failure if the relay did not let it send anything."""
        self.connections.remove(connection)
        self.closing.append(connection)
        now = time.monotonic()
        if isinstance(reason, UnavailableError):
            self._fail(str(reason), now, lasting=reason.lasting)
        elif reason and not connection.finished_count:
            # A relay that hangs up at the first message must not be tried again for each of them.
            self._fail(f"the connection ended before a letter was taken: {reason.line}", now, lasting=False)
        if self._session:
            self._open_connection(now, 1)
            self._session.check_done()

    # Turns, limits and failures

    def is_busy(self, now: float) -> bool:
        """Return whether no message could begin soon: because of the pace, or of a slow relay."""
        return self._pace.delay() > 0 or (now - self.begun_at > BUSY_SECONDS and not self.has_idle_connection)

    def _may_take(self, session: SendSession) -> bool:
        return not session.is_over and (not self.others or self._is_next())

    def _is_next(self) -> bool:
        """Return whether the relay has not had more than its share, compared with those that could take a message."""
        now, lead = time.monotonic(), self._allowed_connections / self._relay.weight
        for other in self.others:
            if not other.is_usable:
                continue
            if other.is_busy(now):
                # What it cannot take now is not made up for.
                other.weighted_count = max(other.weighted_count, self.weighted_count - lead)
            elif self.weighted_count > other.weighted_count + lead:
                return False
        return True

    def _return_handed_over(self, now: float) -> None:
        """Report messages that were handed over, and that may not begin any more, as untouched."""
        session = self._session
        while session and self._handed_over:
            if session.may_begin and self.may_support_utf8 and now <= self._handed_over[0].begin_by:
                return
            session.report(FinishedMessage(self._handed_over.popleft(), Outcome.UNTOUCHED, None))

    def _on_pace_timer(self) -> None:
        self._pace_timer = None
        self.wake()

    def _apply_connection_limit(self, now: float) -> None:
        """Retire surplus connections: all workers together have no more than the relay's URL allows."""
        accepted = self._accepted_connections if now < self._accepted_until else self._connection_limit
        self._allowed_connections = min(self._pace.connection_limit(self._connection_limit), accepted)
        for connection in self.connections[max(self._allowed_connections, 1) :]:
            connection.retire()

    def _wanted_connections(self, now: float) -> int:
        """Return 1; one more than there are if the relay is slow on each, so that other messages can leave."""
        is_slow = self.connections and all(
            each.is_open and now - each.active_at > SLOW_SECONDS for each in self.connections
        )
        if is_slow and not self.has_idle_connection:
            return min(len(self.connections) + 1, self._allowed_connections)
        return 1

    def _open_connection(self, now: float, wanted: int) -> None:
        """Open one connection if there are fewer than wanted."""
        session = self._session
        if not session or session.is_over or not self._health.may_connect(now) or len(self.connections) >= wanted:
            return
        connection = Connection(
            self._relay,
            self,
            self._loop,
            ehlo_name=self._ehlo_name,
            tls=self._tls,
            stuffing=self._stuffing,
            timeouts=self._timeouts,
            endpoints=self._endpoints,
        )
        self.connections.append(connection)
        connection.open()

    def _fail(self, reason: str, now: float, *, lasting: bool) -> None:
        if self.is_usable:
            # The relay limits the connections of one client, but it can be used.
            self._accepted_connections, self._accepted_until = len(self.connections), now + FEWER_CONNECTIONS_SECONDS
        else:
            self._health.record_failure(reason, now, lasting=lasting)
