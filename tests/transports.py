"""A postman for tests, and the time that he takes."""

from collections import deque
from collections.abc import Callable, Iterator

from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, TransportProblem
from tests.clock import NOON

AS_YOU_LIKE = Reply(250, None, "as you like")


class Ticks:
    """A monotonic clock that stands still unless somebody takes their time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Whimsical:
    """A postman who keeps to the contract, and to each parcel does as he is told."""

    def __init__(
        self,
        outcome: Callable[[Message], Outcome] = lambda _: Outcome.TAKEN,
        *,
        ticks: Ticks,
        connections: int = 1,
        takes: float = 0,
        pulls: int = 10**6,
        reply: Reply = AS_YOU_LIKE,
    ) -> None:
        self.begun: list[Message] = []
        self.taken: list[str] = []
        self._fate, self.ticks, self._connections = outcome, ticks, connections
        self._takes, self._pulls, self._reply = takes, pulls, reply

    def carry(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        under_way: deque[Message] = deque()
        while self._pulls > 0 and not stop() and (message := next(messages, None)):
            self._pulls -= 1
            under_way.append(message)
            if len(under_way) >= self._connections:
                report(self._deliver(under_way.popleft()))
        for message in under_way:
            report(self._deliver(message))

    def trouble(self) -> TransportProblem | None:
        return None

    def problems(self) -> list[TransportProblem]:
        return []

    def close(self) -> None:
        pass

    def _deliver(self, message: Message) -> Result:
        if self.ticks() > message.begin_by:
            return Result(message.delivery, message.attempt, Outcome.UNTOUCHED, None, NOON)
        self.ticks.now += self._takes
        outcome = self._fate(message)
        if outcome is not Outcome.UNTOUCHED:
            self.begun.append(message)
        if outcome is Outcome.TAKEN:
            self.taken.append(message.recipient)
        return Result(message.delivery, message.attempt, outcome, self._reply, NOON)
