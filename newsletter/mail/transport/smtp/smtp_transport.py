"""The SMTP postman: several relays, and the loop that drives their connections."""

import asyncio
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from newsletter.mail.transport.pacing import Pace, SteadyPace
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.route import Route
from newsletter.mail.transport.smtp.send_session import SendSession
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.tls import tls_context
from newsletter.mail.transport.transport import Message, Result, TransportProblem, clock
from newsletter.relays import Relay

try:
    import uvloop
except ImportError:  # it is not made for every platform
    uvloop = None  # type: ignore[assignment]

TICK = 0.1  # seconds between two looks at stop, at patience and at relays that may be tried again
FAREWELL = 3.0  # seconds for all good-byes together
GIVE_UP = 5.0  # seconds after the process was told to end, until letters under way are given up: it is killed after ten


def probe(relay: Relay, *, ehlo_name: str, patience: Timeouts | None = None) -> TransportProblem | None:
    """What keeps the relay from being used: it is greeted, logged in to and left, without a letter."""
    transport = SmtpTransport(relay, ehlo_name=ehlo_name, connections=1, patience=patience)
    try:
        transport.carry(iter(()), lambda _: None, stop=lambda: False)
        return transport.trouble()
    finally:
        transport.close()


class SmtpTransport:
    """A Postman who divides letters among relays by their weights.

    Its loop and its connections outlive a carry. No letter begins before a connection is open, so while no relay can be
    used no letter is deferred or failed for that; `trouble` says why. A relay in trouble is tried again after 1, 2,
    4 ... 60 s; the others take its letters meanwhile. Once `ending()` is true for 5 s, letters under way are reported
    as far as they got, rather than that they are still claimed when the process is killed.
    """

    def __init__(
        self,
        *relays: Relay,
        ehlo_name: str,
        connections: int | None = None,
        tls: ssl.SSLContext | None = None,
        patience: Timeouts | None = None,
        pace: Callable[[Relay], Pace] = lambda relay: SteadyPace(relay.rate),
        clock: Callable[[], datetime] = clock,
        ending: Callable[[], bool] = lambda: False,
        loop: Callable[[], asyncio.AbstractEventLoop] = (uvloop or asyncio).new_event_loop,
    ) -> None:
        self._clock = clock
        self._turn = threading.Lock()
        self._loop = loop()
        self._timer: asyncio.Handle
        self._ending = ending
        self._give_up_at = math.inf
        self._has_rest = False  # the last carry had nothing to carry
        stuffing = DotStuffing()
        self._routes = [
            Route(
                relay,
                pace(relay),
                self._loop,
                ehlo_name=ehlo_name,
                tls=tls or tls_context(relay),
                most=connections or relay.connections,
                stuffing=stuffing,
                patience=patience or Timeouts(),
            )
            for relay in relays
        ]
        for route in self._routes:
            route.rivals = [other for other in self._routes if other is not route]

    def carry(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Carry letters as the Postman contract says; whoever else calls meanwhile waits for their turn."""
        while not self._turn.acquire(timeout=TICK):
            if stop():
                return
        try:
            if not stop() and not self._loop.is_closed():
                self._carry(messages, report, stop)
        finally:
            self._turn.release()

    def trouble(self) -> TransportProblem | None:
        """Why no relay can be used, if none can; of several troubles one that does not pass by itself.

        It is lasting only if all are: where one passes, letters leave again without anybody's help.
        """
        problems = self.problems()
        if len(problems) < len(self._routes):
            return None
        worst = next((trouble for trouble in problems if trouble.lasting), problems[0])
        return worst._replace(lasting=all(trouble.lasting for trouble in problems))

    def problems(self) -> Sequence[TransportProblem]:
        """Why some relays cannot be used, also where others can."""
        return [trouble for route in self._routes if (trouble := route.trouble)]

    def close(self) -> None:
        """Say good-bye to all relays."""
        with self._turn:
            if not self._loop.is_closed():
                for connection in chain.from_iterable([*route.connections] for route in self._routes):
                    connection.leave()
                self._await_good_byes()
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
                self._loop.close()

    def _carry(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], stop: Callable[[], bool]
    ) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        current = SendSession(messages, report, stop, clock=self._clock, done=lambda: done.set_result(None))
        for route in self._routes:
            route.tidy()
        # Rings come every other second: no relay is connected to for each of them, all night, for nothing. The one
        # letter that is pulled to know goes back untouched if then no relay can be used.
        is_at_rest = self._has_rest and not any(route.is_hopeful or route.trouble for route in self._routes)
        if is_at_rest and not current.has_any():
            self._loop.run_until_complete(asyncio.sleep(0))  # good-byes leave; their answers are not waited for
            current.complain()
            return
        self._timer = self._loop.call_soon(self._begin, current)
        try:
            self._loop.run_until_complete(done)
        finally:
            self._timer.cancel()
            for route in self._routes:
                route.end()
            self._has_rest = not current.pulled
        current.complain()

    def _begin(self, current: SendSession) -> None:
        try:
            for route in self._routes:
                route.begin(current)
        except Exception as error:  # noqa: BLE001 - the loop would only log it, and nobody would end the round
            self._break_off(current, error)
        else:
            self._tick(current)

    def _tick(self, current: SendSession) -> None:
        try:
            self._look_after(current)
        except Exception as error:  # noqa: BLE001 - likewise
            self._break_off(current, error)
        if not current.is_done:
            self._timer = self._loop.call_later(TICK, self._tick, current)

    def _look_after(self, current: SendSession) -> None:
        current.heed()
        now = time.monotonic()
        for route in self._routes:
            route.tick(now)
        if self._ending():
            self._give_up_at = min(self._give_up_at, now + GIVE_UP)
            if now >= self._give_up_at:
                self._hang_up()
        if not any(route.is_hopeful for route in self._routes):
            current.end()

    def _break_off(self, current: SendSession, error: Exception) -> None:
        """Whatever was raised, the round ends; letters under way are decided by how far they got."""
        current.break_off(error)
        try:
            self._hang_up()
        finally:
            current.give_up()

    def _hang_up(self) -> None:
        for connection in chain.from_iterable([*route.connections] for route in self._routes):
            connection.abort()

    def _await_good_byes(self) -> None:
        leaving = [each for route in self._routes for each in route.leaving if not each.gone.done()]
        for wait in (FAREWELL, TICK):
            if leaving:
                gone = [connection.gone for connection in leaving]
                self._loop.run_until_complete(asyncio.wait(gone, timeout=wait))
            for connection in leaving:
                connection.abort()
