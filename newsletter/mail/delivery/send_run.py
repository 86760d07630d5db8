"""One send run: it gives claimed letters to a transport and the transport's results to the recording."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from newsletter.mail.delivery.assembly import BEGIN_WITHIN, Assembler
from newsletter.mail.delivery.claims import Claimed
from newsletter.mail.delivery.issue_pauses import RefusalMonitor
from newsletter.mail.delivery.prefetch import Batch, Lane, Prefetch
from newsletter.mail.delivery.priority import UrgentPriority
from newsletter.mail.delivery.recording import GroupCommit
from newsletter.mail.delivery.run_deadline import SLOW_LETTER_SECONDS, RunDeadline
from newsletter.mail.letters.merge import FieldError
from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result
from newsletter.redaction import log_failure

# Messages assembled in a row. Assembled one by one between sends, each finds the processor's caches cold and takes
# three times as long.
ASSEMBLE_AT_ONCE = 16

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class SendRun:
    """The letters of one send run. Whatever the transport does, every claimed delivery gets a result."""

    lane: Lane
    prefetch: Prefetch
    recording: GroupCommit
    assembler: Assembler
    priority: UrgentPriority
    monitor: RefusalMonitor | None  # of issues' letters
    clock: Callable[[], datetime]
    until: float  # monotonic
    stop: Event
    meanwhile: Callable[[], None]  # called at each extension
    on_more_due: Callable[[], None]  # called once in a run if more is due than one claim takes
    _deadline: RunDeadline = field(init=False)
    _waiting: deque[Claimed] = field(default_factory=deque, init=False)
    _assembled: deque[tuple[Claimed, Message]] = field(default_factory=deque, init=False)
    _under_way: dict[int, tuple[Claimed, float]] = field(default_factory=dict, init=False)  # with their `begin_by`
    _has_released: bool = field(default=False, init=False)
    _has_announced: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._deadline = RunDeadline(
            self.until, stop=self.stop, on_extension=self._extended, monotonic=self.lane.monotonic
        )

    def is_over(self) -> bool:
        """Return whether the transport is to take no further message now. A slow reply may extend the run."""
        return self._deadline.is_over(next(iter(self._under_way), None))

    def messages(self) -> Iterator[Message | None]:
        """Yield the messages that are due, and None while others may become due beside a letter under way.

        The next claim runs while these are being sent. Sending pauses while results cannot be recorded.
        """
        self.lane.begin()
        while not self._deadline.is_stopping:
            batch = self._next_batch()
            yield from self._messages_of(batch)
            if batch.is_suspect or self._remaining:
                return
            if not batch.claimed:
                again_at = self.lane.monotonic() + SLOW_LETTER_SECONDS
                while self.lane.monotonic() < again_at:
                    yield None
                self._deadline.extend()

    def on_result(self, result: Result) -> None:
        """Record a result of the transport. Of two results of one message the first counts."""
        claimed, begin_by = self._under_way.pop(result.delivery, (None, 0.0))
        if result.outcome is Outcome.UNTOUCHED:
            self._note_release(is_late=self.lane.monotonic() > begin_by)
        else:
            self.lane.batch_size.count_attempt()
        if claimed and result.reply:
            reply = replies.without_name(result.reply, claimed.address)
            if reply is not result.reply:
                result = result._replace(reply=reply)
        self.recording.add(result)

    def close(self) -> None:
        """Release unsent claims. A message that was taken without a result may have arrived: it is in doubt."""
        unsent = [*(claimed for claimed, _ in self._assembled), *self._waiting, *self.prefetch.close()]
        for claimed in unsent:
            self._add_result(claimed, Outcome.UNTOUCHED)
        if unsent or self._has_released:
            self.lane.cursors.retry_all()
        for claimed, _ in self._under_way.values():
            self._add_result(claimed, Outcome.IN_DOUBT, "the transport ended without a result")

    @property
    def _remaining(self) -> int:
        """How many claimed letters the transport has not taken."""
        return len(self._assembled) + len(self._waiting)

    def _extended(self, until: float) -> None:
        self.meanwhile()
        self.prefetch.extend(until)
        self.lane.begin()

    def _next_batch(self) -> Batch:
        """Return the next batch. Before it returns an empty one, it looks for letters that were released meanwhile."""
        batch = self.prefetch.next_batch()
        if (
            not batch.claimed
            and not batch.has_failed
            and self._has_released
            and self.recording.flush(self._deadline.is_past)
        ):
            self._has_released = False
            self.lane.cursors.retry_all()
            batch = self.prefetch.next_batch()
        self._waiting.extend(batch.claimed)
        if batch.claimed and self.lane.urgent:
            self.priority.acquire()
        if batch.is_full and not self._has_announced and not self.lane.urgent:
            self._has_announced = True
            self.on_more_due()
        return batch

    def _messages_of(self, batch: Batch) -> Iterator[Message]:
        """Yield the messages of a batch, and measure how fast the transport takes urgent ones."""
        began, taken = self.lane.monotonic(), 0
        try:
            for message in self._assembled_of(batch):
                taken += 1
                yield message
        finally:
            if self.lane.urgent:
                self.lane.backpressure.note(taken, self.lane.monotonic() - began)

    def _assembled_of(self, batch: Batch) -> Iterator[Message]:
        while remaining := self._remaining:
            if not batch.is_suspect and self.lane.batch_size.should_claim_ahead(remaining) and not self.is_over():
                self.prefetch.claim_ahead(in_hand=remaining)
            if not self.recording.wait_for_capacity(self._deadline.is_past):
                return
            if not self._assembled:
                self._assemble_some(batch)
                continue
            if not self.lane.urgent:
                self.priority.give_way()
            claimed, message = self._assembled.popleft()
            is_late = self.lane.monotonic() > batch.begin_by
            if is_late or self._is_paused(claimed, batch):
                self._note_release(is_late=is_late)
                self._add_result(claimed, Outcome.UNTOUCHED)
            else:
                self._under_way[claimed.delivery] = claimed, batch.begin_by
                yield message

    def _is_paused(self, claimed: Claimed, batch: Batch) -> bool:
        """Return whether refusals paused the letter's issue after the claim."""
        if self.monitor is None or not self.monitor.paused:
            return False
        return self.monitor.is_paused(claimed.issue, claimed_at=batch.begin_by - BEGIN_WITHIN.total_seconds())

    def _note_release(self, *, is_late: bool) -> None:
        """Note that a letter goes back. A late one shrinks the batch; a closed connection is not about the rate."""
        self._has_released = True
        if is_late:
            self.lane.batch_size.note_late()

    def _assemble_some(self, batch: Batch) -> None:
        for _ in range(min(ASSEMBLE_AT_ONCE, len(self._waiting))):
            message = self._assemble(self._waiting[0], batch)
            claimed = self._waiting.popleft()  # only now: an interrupt during assembly must not leave it claimed
            if message:
                self._assembled.append((claimed, message))

    def _assemble(self, claimed: Claimed, batch: Batch) -> Message | None:
        """Return the message; None, with a result, for a letter that cannot be assembled or is a held refusal."""
        if refusal := batch.refusals.final.get(claimed.delivery):
            self.recording.add(Result(claimed.delivery, claimed.attempt, Outcome.REFUSED, refusal, self.clock()))
            return None
        if claimed.delivery in batch.refusals.held:
            self._add_result(claimed, Outcome.UNTOUCHED)
            return None
        try:
            return self.assembler.assemble(claimed, batch.variants[claimed.variant], begin_by=batch.begin_by)
        except FieldError as error:
            self._add_result(claimed, Outcome.REFUSED, f"the letter cannot be written: {error}")
        except Exception as error:  # noqa: BLE001 - a bug of ours, which may be fixed while the letter waits
            log_failure(log, "a message cannot be assembled", error, delivery=claimed.delivery)
            self._add_result(claimed, Outcome.LATER, f"the letter cannot be written: {type(error).__name__}")
        return None

    def _add_result(self, claimed: Claimed, outcome: Outcome, reason: str | None = None) -> None:
        reply = Reply(None, None, reason) if reason else None
        self.recording.add(Result(claimed.delivery, claimed.attempt, outcome, reply, self.clock()))
