"""Prefetch: claim the next batch while the current one is being sent."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.delivery import reclaiming
from newsletter.mail.delivery.assembly import BEGIN_WITHIN
from newsletter.mail.delivery.backpressure import Backpressure
from newsletter.mail.delivery.batch_size import BatchSize
from newsletter.mail.delivery.claims import Claimed, claim, claim_suspect
from newsletter.mail.delivery.cursors import Cursors
from newsletter.mail.delivery.held_refusals import NONE, Refusals, refusals
from newsletter.mail.letters.letters import Variant
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

MAX_VARIANTS = 32  # kept between claims: a reload costs more than assembling a letter, and each has some 100 kB

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """The deliveries of one claim, and the letters that they need."""

    claimed: list[Claimed]
    variants: dict[int, Variant]
    begin_by: float  # monotonic
    refusals: Refusals = NONE
    is_full: bool = False  # the claim reached its limit: more are due
    is_suspect: bool = False  # a single letter that several workers held when they stopped: it is sent alone
    has_failed: bool = False


@dataclass
class Lane:
    """What a process remembers of urgent or of bulk letters from one send run to the next."""

    urgent: bool
    monotonic: Callable[[], float] = time.monotonic
    may_hold_unknown_claims: bool = False  # a claim failed, but may have been committed
    cursors: Cursors = field(init=False)
    batch_size: BatchSize = field(init=False)
    backpressure: Backpressure = field(default_factory=Backpressure, init=False)  # of sign-ups

    def __post_init__(self) -> None:
        self.cursors, self.batch_size = Cursors(self.monotonic), BatchSize(self.monotonic)

    def begin(self) -> None:
        """Begin a send run."""
        self.cursors.begin()
        self.batch_size.restart()


class Prefetch:
    """Claims batches for one send run, on a thread of its own. `close` returns what was claimed ahead but not used."""

    def __init__(
        self, begin: Begin, lane: Lane, worker: int, *, key: str, clock: Callable[[], datetime], until: float
    ) -> None:
        self._begin, self._lane, self._worker, self._key, self._clock = begin, lane, worker, key, clock
        self._until = until
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="claims")
        self._ahead: Future[Batch] | None = None
        self._variants: dict[int, Variant] = {}
        self._is_first = True

    def extend(self, until: float) -> None:
        """Let the run last longer."""
        self._until = until

    def claim_ahead(self, *, in_hand: int) -> None:
        """Start the next claim unless it has started, for as many letters as can still be sent in this run."""
        if self._ahead is None:
            now = self._lane.monotonic()
            if limit := self._lane.batch_size.next(self._until - now, in_hand=in_hand):
                self._submit(limit, now)

    def next_batch(self) -> Batch:
        """Return the next batch; an empty one if nothing is due or the database is away."""
        if self._ahead is None:
            now = self._lane.monotonic()
            self._submit(max(1, self._lane.batch_size.next(self._until - now)), now)
        assert self._ahead
        batch, self._ahead = self._ahead.result(), None
        return batch

    def close(self) -> list[Claimed]:
        """End the thread; return the deliveries that were claimed ahead but not used."""
        unused = self.next_batch().claimed if self._ahead else []
        self._thread.shutdown()
        return unused

    def _submit(self, limit: int, now: float) -> None:
        self._ahead = self._thread.submit(self._claim, limit, now + BEGIN_WITHIN.total_seconds())

    def _claim(self, limit: int, begin_by: float) -> Batch:
        try:
            with self._begin() as session:
                claimed, is_suspect = self._claim_due(session, limit)
                refused = refusals(session, claimed, now=self._clock())
                self._variants = _variants(session, {each.variant for each in claimed}, known=self._variants)
        except Exception as error:  # noqa: BLE001 - raised through the transport, it would leave letters in doubt
            log_failure(log, "nothing can be claimed", error)
            self._lane.may_hold_unknown_claims = True
            self._lane.cursors.reset()
            return Batch([], {}, begin_by, has_failed=True)
        self._lane.may_hold_unknown_claims = self._is_first = False
        return Batch(claimed, self._variants, begin_by, refused, len(claimed) >= limit, is_suspect)

    def _claim_due(self, session: Session, limit: int) -> tuple[list[Claimed], bool]:
        """Claim what is due; else, at the beginning of a run, one suspect. Return it, and whether it is a suspect."""
        now, urgent, cursors = self._clock(), self._lane.urgent, self._lane.cursors
        if self._lane.may_hold_unknown_claims and self._is_first:
            reclaiming.release(session, self._worker, urgent=urgent)
        claimed = claim(session, self._worker, limit=limit, urgent=urgent, key=self._key, now=now, cursors=cursors)
        if claimed or not self._is_first:
            return claimed, False
        suspect = claim_suspect(session, self._worker, urgent=urgent, key=self._key, now=now)
        return suspect, bool(suspect)


def _variants(session: Session, needed: set[int], *, known: dict[int, Variant]) -> dict[int, Variant]:
    """Return the variants that a claim needs, and others: some languages of an issue have few readers."""
    missing = needed - known.keys()
    if not missing:
        return known
    loaded = {v.id: v for v in session.scalars(select(Variant).where(Variant.id.in_(missing)))}
    fits = len(known) + len(loaded) <= MAX_VARIANTS
    return {number: variant for number, variant in known.items() if fits or number in needed} | loaded
