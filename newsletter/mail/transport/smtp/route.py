"""A route: one relay as the postman knows it, with its connections, its pace, and what keeps it from being used."""

import asyncio
import logging
import math
import ssl
import time
from collections import deque
from collections.abc import Sequence

from newsletter.mail.transport import replies
from newsletter.mail.transport.pacing import Pace
from newsletter.mail.transport.smtp.connection import Connection
from newsletter.mail.transport.smtp.dot_stuffing import DotStuffing
from newsletter.mail.transport.smtp.endpoints import Endpoints
from newsletter.mail.transport.smtp.extensions import Extensions
from newsletter.mail.transport.smtp.send_session import SendSession
from newsletter.mail.transport.smtp.timeouts import Timeouts
from newsletter.mail.transport.smtp.transactions import SLOW, Decision
from newsletter.mail.transport.smtp.unavailable import UnavailableError
from newsletter.mail.transport.transport import Message, Outcome, Reply, TransportProblem
from newsletter.queues.wakeups import QUIET
from newsletter.relays import Relay

FIRST_REST, LONGEST_REST = 1.0, 60.0  # seconds until a relay that cannot be used is tried again, doubling
LASTING = 600.0  # seconds of trouble without a letter's leaving, after which it is not called passing any more
FEWER = 60.0  # seconds that we make do with the connections that a relay lets us have

log = logging.getLogger(__name__)


class Route:
    """A relay. The owner of its connections: it gives them letters while a round lasts."""

    def __init__(
        self,
        relay: Relay,
        pace: Pace,
        loop: asyncio.AbstractEventLoop,
        *,
        ehlo_name: str,
        tls: ssl.SSLContext,
        most: int,
        stuffing: DotStuffing,
        patience: Timeouts,
    ) -> None:
        self.rivals: Sequence[Route] = ()  # the other relays, among which letters are divided
        self.turn = 0.0  # letters begun, by weight: whose is lowest is next
        self.begun_at = -math.inf
        self.connections: list[Connection] = []
        self.leaving: list[Connection] = []
        self._aside: deque[Message] = deque()  # pulled by rivals who cannot take them
        self._takes_utf8 = self.has_taken_utf8 = False  # its newest connection; and whether any ever did
        self._relay, self._pace, self._loop = relay, pace, loop
        self._ehlo_name, self._tls, self._stuffing, self._patience = ehlo_name, tls, stuffing, patience
        self._addresses = Endpoints(relay, loop)
        self._most = self._seats = most
        self._ceiling, self._ceiling_until = most, -math.inf
        self._round: SendSession | None = None
        self._ended_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._trouble: TransportProblem | None = None
        self._since = 0.0  # when the trouble began
        self._rest = 0.0
        self._again_at = -math.inf
        self._complained_at = -math.inf

    @property
    def is_usable(self) -> bool:
        """Whether a letter could go this way at once."""
        return any(connection.is_open for connection in self.connections)

    @property
    def has_free(self) -> bool:
        """Whether a letter could begin at once on one of its connections."""
        return any(connection.is_free for connection in self.connections)

    @property
    def may_take_utf8(self) -> bool:
        """Whether a letter to an address outside ASCII can go this way (RFC 6531), as far as is known."""
        return self._takes_utf8 if self.is_usable else self.is_hopeful

    @property
    def is_hopeful(self) -> bool:
        """Whether there is a connection, or one in the making."""
        return bool(self.connections)

    @property
    def trouble(self) -> TransportProblem | None:
        """Why it cannot be used."""
        trouble = self._trouble
        if trouble and time.monotonic() - self._since >= LASTING:
            return trouble._replace(lasting=True)
        return trouble

    def tidy(self) -> None:
        """Part with connections that ended while nobody looked, or that have long carried nothing."""
        for connection in [each for each in self.connections if each.is_free]:
            if not connection.is_quiet:
                connection.abort()
            elif time.monotonic() - connection.since > self._patience.idle:
                connection.leave()
        for connection in self.leaving:
            connection.check(time.monotonic())

    def begin(self, current: SendSession) -> None:
        """Take part in a round."""
        now = time.monotonic()
        self._round = current
        for connection in self.connections:
            if not connection.is_open:
                connection.since += now - self._ended_at  # while no round lasted nobody could hear it
        self._sit(now)
        self._fill(now, 1)
        self.wake()

    def end(self) -> None:
        """The round is done; whatever is in the middle of a letter, because the round broke off, is hung up."""
        self._hand_back(math.inf)
        self._round, self._ended_at = None, time.monotonic()
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        for connection in list(self.connections):
            if connection.has_letter:
                connection.abort()
        if self.is_usable:
            self._recover()

    def tick(self, now: float) -> None:
        """What is looked after about ten times a second."""
        for connection in [*self.connections, *self.leaving]:
            connection.check(now)
        self.leaving = [connection for connection in self.leaving if not connection.gone.done()]
        self._sit(now)
        self._fill(now, self._wanted(now))
        self._hand_back(now)
        self.wake()

    def wake(self) -> None:
        """Let connections that have nothing to do ask for letters."""
        for connection in list(self.connections):
            if connection.is_free:
                connection.go_on()

    # What its connections ask and tell

    def opened(self, connection: Connection, offers: Extensions) -> None:
        """One more way to go. What others have carried while there was none is not made up for."""
        self._takes_utf8 = offers.utf8
        self.has_taken_utf8 = self.has_taken_utf8 or offers.utf8
        self.turn = max([self.turn, *(rival.turn for rival in self.rivals if rival.is_usable)])

    def next(self) -> Message | None:
        """The next letter, if it is this relay's to carry and its pace allows it."""
        current = self._round
        if current is None or not (self._aside or self._may_pull(current)):
            return None
        if (delay := self._pace.delay()) > 0:
            self._alarm = self._alarm or self._loop.call_later(delay, self._ring)
            return None
        if self._aside:
            self._hand_back(time.monotonic())
            return self._aside.popleft() if self._aside else None
        return current.next()

    def declined(self, decision: Decision) -> None:
        """It was not asked about. What only its address keeps from going this way may go another."""
        if self._round is None:
            return
        if decision.reply is replies.NOT_ASCII:
            # Of several servers of one name not all may offer it: then nobody hands it back to us, nor is it refused.
            self._takes_utf8, now = False, time.monotonic()
            if able := [rival for rival in self.rivals if rival.may_take_utf8]:
                min(able, key=lambda rival: (not rival.is_usable, rival.is_busy(now))).hand(decision.message)
                return
            if any(route.has_taken_utf8 for route in (self, *self.rivals)) or not all(r.is_usable for r in self.rivals):
                decision = decision._replace(outcome=Outcome.LATER)
        self._round.report(decision)

    def hand(self, message: Message) -> None:
        """Take a letter that a rival has pulled and cannot take."""
        self._aside.append(message)
        self._loop.call_soon(self.wake)

    def begun(self) -> None:
        """A letter begins; where there is more than one of them, another connection pays off."""
        self._pace.begun()
        assert self._round
        self._round.begun += 1
        if self._round.begun > 1 and len(self.connections) < self._seats:
            self._fill(time.monotonic(), len(self.connections) + 1)
        if self.rivals:
            self.turn += 1 / self._relay.weight
            self.begun_at = time.monotonic()
            for rival in self.rivals:
                self._loop.call_soon(rival.wake)

    def decided(self, decision: Decision) -> None:
        """A letter's end, and for the pace a hint."""
        if not self._round:
            return
        report = self._round.report(decision)
        if decision.outcome is not Outcome.UNTOUCHED:
            self._pace.heard(report)
            if self._trouble and decision.outcome is Outcome.TAKEN:
                self._recover()

    def ended(self, connection: Connection, why: UnavailableError | Reply | None) -> None:
        """A connection less: because we left, because the relay had had enough, or because of trouble."""
        self.connections.remove(connection)
        self.leaving.append(connection)
        now = time.monotonic()
        if isinstance(why, UnavailableError):
            self._fail(str(why), now, lasting=why.lasting)
        elif why and not connection.decided:
            # It lets us in and hangs up at the first letter: it is not knocked at again for each of them.
            self._fail(f"the connection ended before a letter was taken: {why.words}", now, lasting=False)
        if self._round:
            self._fill(now, 1)
            self._round.look()

    # How it does that

    def _hand_back(self, now: float) -> None:
        """What was set aside for us and may not begin any more goes back."""
        current = self._round
        while current and self._aside:
            if current.goes_on and self.may_take_utf8 and now <= self._aside[0].begin_by:
                return
            current.report(Decision(self._aside.popleft(), Outcome.UNTOUCHED, None))

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

    def _sit(self, now: float) -> None:
        """Have as many connections as are ours: all workers together have no more than the relay's URL says."""
        self._seats = min(self._pace.seats(self._most), self._ceiling if now < self._ceiling_until else self._most)
        for connection in self.connections[max(self._seats, 1) :]:
            connection.retire()

    def _wanted(self, now: float) -> int:
        """One connection; one more where each has its relay think about a letter for long, so that others may leave."""
        is_stuck = self.connections and all(each.is_open and now - each.since > SLOW for each in self.connections)
        return min(len(self.connections) + 1, self._seats) if is_stuck and not self.has_free else 1

    def _fill(self, now: float, wanted: int) -> None:
        current = self._round
        if current and not current.is_over and now >= self._again_at and len(self.connections) < wanted:
            connection = Connection(
                self._relay,
                self,
                self._loop,
                ehlo_name=self._ehlo_name,
                tls=self._tls,
                stuffing=self._stuffing,
                patience=self._patience,
                addresses=self._addresses,
            )
            self.connections.append(connection)
            connection.open()

    def _may_pull(self, current: SendSession) -> bool:
        return not current.is_over and (not self.rivals or self._is_next())

    def _is_next(self) -> bool:
        """Whether this relay has not had more than its share, among those that could take a letter now."""
        now, lead = time.monotonic(), self._seats / self._relay.weight
        for rival in self.rivals:
            if not rival.is_usable:
                continue
            if rival.is_busy(now):
                rival.turn = max(rival.turn, self.turn - lead)  # what it cannot take now is not made up for
            elif self.turn > rival.turn + lead:
                return False
        return True

    def is_busy(self, now: float) -> bool:
        """Whether it could take no letter soon: its pace does not allow it, or it has long not finished the last."""
        return self._pace.delay() > 0 or (now - self.begun_at > 1 and not self.has_free)

    def _fail(self, says: str, now: float, *, lasting: bool) -> None:
        if self.is_usable:
            # It does let us in, only not as often: relays limit the connections that one client may have.
            self._ceiling, self._ceiling_until = len(self.connections), now + FEWER
            return
        if now < self._again_at:
            return  # the same trouble, seen from another connection
        self._since = self._since if self._trouble else now
        self._rest = min(self._rest * 2 or FIRST_REST, LONGEST_REST)
        self._again_at = now + self._rest
        self._trouble = TransportProblem(f"the relay {self._relay.place}", says, lasting)
        if now - self._complained_at >= QUIET:
            self._complained_at = now
            log.warning("the relay cannot be used: %s", says, extra={"relay": self._relay.place})

    def _recover(self) -> None:
        self._trouble, self._rest, self._again_at = None, 0.0, -math.inf
