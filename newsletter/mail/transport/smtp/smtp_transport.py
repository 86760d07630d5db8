"""The SMTP transport: several relays, and the event loop that runs their connections."""

import asyncio
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from newsletter.mail.transport.pacing import Pace, SteadyPace
from newsletter.mail.transport.smtp.connection import Connection
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.route import Route
from newsletter.mail.transport.smtp.send_session import SendSession
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.tls import tls_context
from newsletter.mail.transport.transport import Message, Result, TransportProblem, clock
from newsletter.relays import Relay

try:
    import uvloop
except ImportError:  # it does not exist for every platform
    uvloop = None  # type: ignore[assignment]

CHECK_INTERVAL = 0.1  # seconds between two checks of stop, of timeouts, and of relays that may be tried again
CLOSE_TIMEOUT = 3.0  # seconds for the replies to QUIT on all connections together
ENDING_GRACE = 5.0  # seconds for messages under way once the process has to end; it is killed after ten


def probe(relay: Relay, *, ehlo_name: str, timeouts: Timeouts | None = None) -> TransportProblem | None:
    """Connect and log in to the relay, then quit; return why it cannot be used, or None. No message is sent."""
    transport = SmtpTransport(relay, ehlo_name=ehlo_name, connections=1, timeouts=timeouts)
    try:
        transport.send(iter(()), lambda _: None, stop=lambda: False)
        return transport.blocking_problem()
    finally:
        transport.close()


class SmtpTransport:
    """Divides messages among relays by their weights.

    Its loop and connections outlive a call of `send`. No message begins before a connection is open, so while no relay
    can be used no message is deferred or failed; `blocking_problem` says why. A relay with a problem is tried again
    after 1, 2, 4 ... 60 s; the other relays send its messages meanwhile. Once `ending()` has been true for 5 s,
    messages under way are reported by how far they got: otherwise they would still be claimed when the process is
    killed. `on_open` is called with what a relay offers on each new connection; it must not block.
    """

    def __init__(
        self,
        *relays: Relay,
        ehlo_name: str,
        connections: int | None = None,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        pace: Callable[[Relay], Pace] = lambda relay: SteadyPace(relay.rate),
        clock: Callable[[], datetime] = clock,
        ending: Callable[[], bool] = lambda: False,
        on_open: Callable[[Relay, Extensions], None] = lambda *_: None,
        loop: Callable[[], asyncio.AbstractEventLoop] = (uvloop or asyncio).new_event_loop,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._loop = loop()
        self._timer: asyncio.Handle
        self._ending = ending
        self._abort_at = math.inf
        self._had_nothing = False  # the last call had no message to send
        stuffing = DotStuffing()
        self._routes = [
            Route(
                relay,
                pace(relay),
                self._loop,
                ehlo_name=ehlo_name,
                tls=tls or tls_context(relay),
                connection_limit=connections or relay.connections,
                stuffing=stuffing,
                timeouts=timeouts or Timeouts(),
                on_open=on_open,
            )
            for relay in relays
        ]
        for route in self._routes:
            route.others = [other for other in self._routes if other is not route]

    def send(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Send messages as the Transport contract says. A concurrent call waits until the running one returns."""
        while not self._lock.acquire(timeout=CHECK_INTERVAL):
            if stop():
                return
        try:
            if not stop() and not self._loop.is_closed():
                self._send(messages, report, stop)
        finally:
            self._lock.release()

    def blocking_problem(self) -> TransportProblem | None:
        """Return why no relay can be used, if none can; of several problems a lasting one.

        It is marked lasting only if all are: otherwise messages will leave again without anybody's help.
        """
        problems = self.problems()
        if len(problems) < len(self._routes):
            return None
        worst = next((problem for problem in problems if problem.lasting), problems[0])
        return worst._replace(lasting=all(problem.lasting for problem in problems))

    def problems(self) -> Sequence[TransportProblem]:
        """Return why some relays cannot be used, also if others can."""
        return [problem for route in self._routes if (problem := route.problem)]

    def close(self) -> None:
        """Quit all connections and close the loop."""
        with self._lock:
            if not self._loop.is_closed():
                for connection in self._connections():
                    connection.quit()
                self._wait_for_close()
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
                self._loop.close()

    def _send(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], stop: Callable[[], bool]
    ) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        session = SendSession(messages, report, stop, clock=self._clock, on_done=lambda: done.set_result(None))
        for route in self._routes:
            route.close_stale()
        # Wake-ups come every other second, all night; connecting to a relay for each of them would be in vain. So one
        # message is taken to learn whether any is due. It is reported untouched if no relay can be used then.
        is_idle = self._had_nothing and not any(route.has_connection or route.problem for route in self._routes)
        if is_idle and not session.has_message():
            self._loop.run_until_complete(asyncio.sleep(0))  # QUIT is written; its reply is not waited for
            session.raise_error()
            return
        self._timer = self._loop.call_soon(self._begin, session)
        try:
            self._loop.run_until_complete(done)
        finally:
            self._timer.cancel()
            for route in self._routes:
                route.end()
            self._had_nothing = not session.received
        session.raise_error()

    def _begin(self, session: SendSession) -> None:
        try:
            for route in self._routes:
                route.begin(session)
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and nothing would end the session
            self._fail(session, error)
        else:
            self._check_regularly(session)

    def _check_regularly(self, session: SendSession) -> None:
        try:
            self._check(session)
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(session, error)
        if not session.is_done:
            self._timer = self._loop.call_later(CHECK_INTERVAL, self._check_regularly, session)

    def _check(self, session: SendSession) -> None:
        session.check_stop()
        now = time.monotonic()
        for route in self._routes:
            route.check(now)
        if self._ending():
            self._abort_at = min(self._abort_at, now + ENDING_GRACE)
            if now >= self._abort_at:
                self._abort()
        if not any(route.has_connection for route in self._routes):
            session.stop_taking()

    def _fail(self, session: SendSession, error: Exception) -> None:
        """End the session after any error; the outcome of messages under way depends on how far they got."""
        session.fail(error)
        try:
            self._abort()
        finally:
            session.abandon()

    def _abort(self) -> None:
        for connection in self._connections():
            connection.abort()

    def _connections(self) -> Iterator[Connection]:
        # A copy of each route's list, because connections that end remove themselves from it.
        return chain.from_iterable([*route.connections] for route in self._routes)

    def _wait_for_close(self) -> None:
        closing = [each for route in self._routes for each in route.closing if not each.closed.done()]
        for timeout in (CLOSE_TIMEOUT, CHECK_INTERVAL):
            if closing:
                self._loop.run_until_complete(
                    asyncio.wait([connection.closed for connection in closing], timeout=timeout)
                )
            for connection in closing:
                connection.abort()
