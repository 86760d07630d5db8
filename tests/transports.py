"""A postman for tests, and the time that he takes."""

from collections import deque
from collections.abc import Callable, Iterator

from newsletter.mail.transport.transport import Fate, Parcel, Reply, Report, Trouble
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
        fate: Callable[[Parcel], Fate] = lambda _: Fate.TAKEN,
        *,
        ticks: Ticks,
        connections: int = 1,
        takes: float = 0,
        pulls: int = 10**6,
        reply: Reply = AS_YOU_LIKE,
    ) -> None:
        self.begun: list[Parcel] = []
        self.taken: list[str] = []
        self._fate, self.ticks, self._connections = fate, ticks, connections
        self._takes, self._pulls, self._reply = takes, pulls, reply

    def carry(
        self, parcels: Iterator[Parcel | None], report: Callable[[Report], None], *, stop: Callable[[], bool]
    ) -> None:
        under_way: deque[Parcel] = deque()
        while self._pulls > 0 and not stop() and (parcel := next(parcels, None)):
            self._pulls -= 1
            under_way.append(parcel)
            if len(under_way) >= self._connections:
                report(self._deliver(under_way.popleft()))
        for parcel in under_way:
            report(self._deliver(parcel))

    def trouble(self) -> Trouble | None:
        return None

    def troubles(self) -> list[Trouble]:
        return []

    def close(self) -> None:
        pass

    def _deliver(self, parcel: Parcel) -> Report:
        if self.ticks() > parcel.begin_by:
            return Report(parcel.delivery, parcel.attempt, Fate.UNTOUCHED, None, NOON)
        self.ticks.now += self._takes
        fate = self._fate(parcel)
        if fate is not Fate.UNTOUCHED:
            self.begun.append(parcel)
        if fate is Fate.TAKEN:
            self.taken.append(parcel.recipient)
        return Report(parcel.delivery, parcel.attempt, fate, self._reply, NOON)
