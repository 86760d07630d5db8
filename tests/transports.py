"""A transport for tests that sends nothing, and the clock on which its sending takes time."""

from collections import deque
from collections.abc import Callable, Iterator

from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, TransportProblem
from tests.clock import NOON

OK = Reply(250, None, "ok")


class FakeMonotonic:
    """A monotonic clock that stands still unless a test or a fake transport sets it forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeTransport:
    """A transport that keeps the contract, with the outcome that the test chooses for each message.

    It takes `seconds` for each message, and at most `limit` messages in all.
    """

    def __init__(
        self,
        outcome: Callable[[Message], Outcome] = lambda _: Outcome.TAKEN,
        *,
        monotonic: FakeMonotonic,
        connections: int = 1,
        seconds: float = 0,
        limit: int = 10**6,
        reply: Reply = OK,
    ) -> None:
        self.begun: list[Message] = []
        self.taken: list[str] = []
        self.monotonic = monotonic
        self._outcome, self._connections = outcome, connections
        self._seconds, self._limit, self._reply = seconds, limit, reply

    def send(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        under_way: deque[Message] = deque()
        while self._limit > 0 and not stop() and (message := next(messages, None)):
            self._limit -= 1
            under_way.append(message)
            if len(under_way) >= self._connections:
                report(self._send(under_way.popleft()))
        for message in under_way:
            report(self._send(message))

    def blocking_problem(self) -> TransportProblem | None:
        return None

    def problems(self) -> list[TransportProblem]:
        return []

    def close(self) -> None:
        pass

    def _send(self, message: Message) -> Result:
        if self.monotonic() > message.begin_by:
            return Result(message.delivery, message.attempt, Outcome.UNTOUCHED, None, NOON)
        self.monotonic.now += self._seconds
        outcome = self._outcome(message)
        if outcome is not Outcome.UNTOUCHED:
            self.begun.append(message)
        if outcome is Outcome.TAKEN:
            self.taken.append(message.recipient)
        return Result(message.delivery, message.attempt, outcome, self._reply, NOON)
