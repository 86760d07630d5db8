"""Dispatch: claim, carry, record, for as long as a ring lasts.

claim   what is due, with consent joined in        one transaction, while what was claimed before is carried
  -> carry   over the postman's connections        no transaction is open
    -> record   what became of each                group commits from a thread of its own
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from newsletter.keys import Keyring
from newsletter.mail.delivery.assembly import BEGIN_WITHIN, Assembler
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.delivery.issue_pauses import RefusalWatch
from newsletter.mail.delivery.leases import Heartbeat
from newsletter.mail.delivery.prefetch import Batch, Lane, Prefetch
from newsletter.mail.delivery.priority import UrgentPriority
from newsletter.mail.delivery.recording import Recorder
from newsletter.mail.letters.merge import FieldError
from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, Transport
from newsletter.redaction import log_failure
from newsletter.store.database import Autocommit, Begin

STRAGGLING = 1.0  # seconds that the last letters of a ring may take until others are carried beside them
EXTRA = 5.0  # seconds that a ring lasts longer then
# Letters that are packed one after the other: packed one by one between others' sending, each finds what it needs gone
# from the processor's caches, and takes three times as long.
AT_ONCE = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatcher:
    """What carrying needs: where deliveries lie, who carries them, and what fills them in."""

    begin: Begin
    transport: Transport
    assembler: Assembler
    keyring: Keyring
    heartbeat: Heartbeat
    clock: Callable[[], datetime]
    stating: Autocommit | None = None  # for what is recorded in a statement; None: in transactions like all else
    express: Transport | None = None  # for urgent letters, on connections of his own; None: there is one for all
    ticks: Callable[[], float] = time.monotonic
    stop: Event = field(default_factory=Event)
    priority: UrgentPriority = field(default_factory=UrgentPriority)  # issues' letters give it
    # Told once in a ring of issues' letters that more are due than were claimed at once, so that idle workers may join.
    # It must not block.
    more: Callable[[], None] = lambda: None
    _slots: dict[bool, Lane] = field(default_factory=dict, init=False, repr=False)

    def send_due(self, *, urgent: bool, until: float, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Carry what is due until nothing is, or the monotonic clock passes `until`; returns how many were recorded.

        While a letter is under way by then, for a relay may think about it for ten minutes, the ring goes on with what
        is due beside it, and calls `meanwhile` for what else the room has to do. It runs in the thread that carries.
        Once `stop` is set, nothing is carried but the letter in hand.
        """
        transport = (urgent and self.express) or self.transport
        carrier = self.heartbeat.carrier(now=self.clock())
        watch = None if urgent else RefusalWatch(self.begin, clock=self.clock, ticks=self.ticks)
        with Recorder(self.begin, carrier, clock=self.clock, stating=self.stating, watch=watch) as recorder:
            lane = self.lane(urgent=urgent)
            ring = _Ring(self, lane, carrier, recorder, watch=watch, until=until, meanwhile=meanwhile)
            try:
                transport.send(ring.messages(), ring.report, stop=ring.is_over)
            finally:
                ring.settle()
                if urgent:
                    self.priority.let_go()
        if recorder.fates:
            log.info("letters carried", extra={"urgent": urgent, **recorder.fates})
        return recorder.recorded

    def lane(self, *, urgent: bool) -> Lane:
        """What this process knows of such letters. One ring at a time uses it."""
        return self._slots.setdefault(urgent, Lane(urgent, self.ticks))


class _Ring:
    """One ring's work: whatever the postman does, everything that it claims is reported on."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        lane: Lane,
        carrier: int,
        recorder: Recorder,
        *,
        watch: RefusalWatch | None,
        until: float,
        meanwhile: Callable[[], None],
    ) -> None:
        self._desk = dispatcher
        self._watch = watch
        self._recorder = recorder
        self._until = until
        self._meanwhile = meanwhile
        self._over_since: float | None = None
        self._straggler: int | None = None  # the delivery that the ring was last made longer for
        self._stride = lane.batch_size
        self._slot = lane
        self._supply = Prefetch(
            dispatcher.begin, lane, carrier, key=dispatcher.keyring.newest, clock=dispatcher.clock, until=until
        )
        self._in_hand: deque[Claimed] = deque()
        self._packed: deque[tuple[Claimed, Message]] = deque()
        self._under_way: dict[int, tuple[Claimed, float]] = {}  # and by when each was to be begun
        self._gave_back = self._has_called = False

    def is_over(self) -> bool:
        """Whether nothing is to be pulled now. Once more it is where then a letter stays under way for long."""
        if self._desk.stop.is_set():
            return True
        now = self._desk.ticks()
        return now >= self._until and not self._goes_on(now)

    def messages(self) -> Iterator[Message | None]:
        """What is due, as long as reports are recorded; the next claim is made while this one is carried."""
        self._slot.begin()
        while not self._desk.stop.is_set():
            batch = self._next()
            yield from self._carried(batch)
            if batch.is_alone or self._left:
                return
            if not batch.claimed:
                again_at = self._desk.ticks() + STRAGGLING
                while self._desk.ticks() < again_at:
                    yield None
                self._go_on(self._desk.ticks())

    def report(self, report: Result) -> None:
        """What the postman says. Should he say it twice, the first word counts: the second finds nobody's letter."""
        claimed, begin_by = self._under_way.pop(report.delivery, (None, 0.0))
        if report.outcome is Outcome.UNTOUCHED:
            self._went_back(is_late=self._desk.ticks() > begin_by)
        else:
            self._stride.carried()
        if claimed and report.reply:
            said = replies.without_name(report.reply, claimed.address)
            if said is not report.reply:
                report = report._replace(reply=said)
        self._recorder.report(report)

    def settle(self) -> None:
        """Give back what was not pulled; what was pulled and never reported on may have arrived."""
        rest = [*(claimed for claimed, _ in self._packed), *self._in_hand, *self._supply.close()]
        for claimed in rest:
            self._say(claimed, Outcome.UNTOUCHED)
        if rest or self._gave_back:
            self._slot.cursors.look_again()
        for claimed, _ in self._under_way.values():
            self._say(claimed, Outcome.IN_DOUBT, "the postman ended without a word about it")

    def _is_time_up(self) -> bool:
        """Whether to wait no longer in the thread that has to hear the verdicts."""
        return self._desk.stop.is_set() or self._desk.ticks() >= self._until

    def _is_stopped(self, claimed: Claimed, batch: Batch) -> bool:
        """Whether its issue was paused after the claim, for what was refused."""
        if self._watch is None or not self._watch.stopped:
            return False
        return self._watch.has_stopped(claimed.issue, claimed_at=batch.begin_by - BEGIN_WITHIN.total_seconds())

    def _goes_on(self, now: float) -> bool:
        """Whether the ring lasts longer, for a letter under way that others would have to wait for."""
        if not self._under_way:
            return False
        if self._over_since is None:
            self._over_since = now
        oldest = next(iter(self._under_way))
        if now < self._over_since + STRAGGLING and oldest != self._straggler:
            return False
        self._straggler = oldest
        self._go_on(now)
        return True

    def _go_on(self, now: float) -> None:
        self._meanwhile()
        self._over_since = None
        self._until = max(self._until, now + EXTRA)
        self._supply.last_until(self._until)
        self._slot.begin()

    def _next(self) -> Batch:
        """The next claim. Before there is said to be none, what went back meanwhile is looked for."""
        batch = self._supply.take()
        if not batch.claimed and not batch.has_failed and self._gave_back and self._recorder.flush(self._is_time_up):
            self._gave_back = False
            self._slot.cursors.look_again()
            batch = self._supply.take()
        self._in_hand.extend(batch.claimed)
        if batch.claimed and self._slot.urgent:
            self._desk.priority.take()
        if batch.is_full and not self._has_called and not self._slot.urgent:
            self._has_called = True
            self._desk.more()
        return batch

    @property
    def _left(self) -> int:
        """How many claimed letters nobody has pulled yet."""
        return len(self._packed) + len(self._in_hand)

    def _carried(self, batch: Batch) -> Iterator[Message]:
        while self._left:
            if not batch.is_alone and self._stride.is_time(self._left) and not self.is_over():
                self._supply.prepare(in_hand=self._left)
            if not self._recorder.has_room(self._is_time_up):
                return
            if not self._packed:
                self._pack_some(batch)
                continue
            if not self._slot.urgent:
                self._desk.priority.give()
            claimed, message = self._packed.popleft()
            is_late = self._desk.ticks() > batch.begin_by
            if is_late or self._is_stopped(claimed, batch):
                self._went_back(is_late=is_late)
                self._say(claimed, Outcome.UNTOUCHED)
            else:
                self._under_way[claimed.delivery] = claimed, batch.begin_by
                yield message

    def _went_back(self, *, is_late: bool) -> None:
        """A relay that closes a connection sends letters back as well, and says nothing of how many it can take."""
        self._gave_back = True
        if is_late:
            self._stride.came_late()

    def _pack_some(self, batch: Batch) -> None:
        for _ in range(min(AT_ONCE, len(self._in_hand))):
            message = self._pack(self._in_hand[0], batch)
            claimed = self._in_hand.popleft()  # only now: whatever ends the process here, it is not left claimed
            if message:
                self._packed.append((claimed, message))

    def _pack(self, claimed: Claimed, batch: Batch) -> Message | None:
        """The parcel; a letter that cannot be made is reported with the reason, and the others go on.

        One that was refused for good and has waited for a person in vain ends here, or goes back to wait for longer.
        """
        if refused := batch.refusals.final.get(claimed.delivery):
            self._recorder.report(
                Result(claimed.delivery, claimed.attempt, Outcome.REFUSED, refused, self._desk.clock())
            )
            return None
        if claimed.delivery in batch.refusals.held:
            self._say(claimed, Outcome.UNTOUCHED)
            return None
        try:
            return self._desk.assembler.pack(claimed, batch.variants[claimed.variant], begin_by=batch.begin_by)
        except FieldError as error:
            self._say(claimed, Outcome.REFUSED, f"the letter cannot be written: {error}")
        except Exception as error:  # noqa: BLE001 - a mistake of ours: somebody may mend it while the letter waits
            log_failure(log, "a delivery cannot be made", error, delivery=claimed.delivery)
            self._say(claimed, Outcome.LATER, f"the letter cannot be written: {type(error).__name__}")
        return None

    def _say(self, claimed: Claimed, outcome: Outcome, why: str | None = None) -> None:
        reply = Reply(None, None, why) if why else None
        self._recorder.report(Result(claimed.delivery, claimed.attempt, outcome, reply, self._desk.clock()))
