"""Supply: what is due, claimed while what was claimed before is being carried."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.delivery import results
from newsletter.mail.delivery.assembly import BEGIN_WITHIN
from newsletter.mail.delivery.batch_size import BatchSize
from newsletter.mail.delivery.claims import Claimed, claim, claim_suspect
from newsletter.mail.delivery.cursors import Cursors
from newsletter.mail.delivery.held_refusals import NONE, Refusals, refusals
from newsletter.mail.letters.letters import Variant
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """One claim, and the letters that it needs."""

    claimed: list[Claimed]
    variants: dict[int, Variant]
    begin_by: float  # ticks
    refusals: Refusals = NONE
    is_full: bool = False  # as many as were asked for: more are due
    is_alone: bool = False  # a letter that carriers did not survive: nothing is carried beside it
    has_failed: bool = False


@dataclass
class Lane:
    """What a process knows of one kind of letters, urgent or not, from one ring to the next."""

    urgent: bool
    ticks: Callable[[], float] = time.monotonic
    is_unsure: bool = False  # a claim failed, and may have been committed all the same
    cursors: Cursors = field(init=False)
    batch_size: BatchSize = field(init=False)

    def __post_init__(self) -> None:
        self.cursors, self.batch_size = Cursors(self.ticks), BatchSize(self.ticks)

    def begin(self) -> None:
        """A ring begins."""
        self.cursors.begin()
        self.batch_size.begin()


class Prefetch:
    """Claims for one ring. What was claimed ahead and not taken is given out when the supply is closed."""

    def __init__(
        self, begin: Begin, lane: Lane, carrier: int, *, key: str, clock: Callable[[], datetime], until: float
    ) -> None:
        self._begin, self._slot, self._carrier, self._key, self._clock = begin, lane, carrier, key, clock
        self._until = until
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="claims")
        self._ahead: Future[Batch] | None = None
        self._variants: dict[int, Variant] = {}
        self._is_first = True

    def last_until(self, until: float) -> None:
        """The ring lasts longer."""
        self._until = until

    def prepare(self, *, in_hand: int) -> None:
        """Claim ahead, unless that has begun: as many as the stride says that can still be carried in this ring."""
        if self._ahead is None:
            now = self._slot.ticks()
            if number := self._slot.batch_size.next(self._until - now, in_hand=in_hand):
                self._submit(number, now)

    def take(self) -> Batch:
        """What is due; nothing while the database is away."""
        if self._ahead is None:
            now = self._slot.ticks()
            self._submit(max(1, self._slot.batch_size.next(self._until - now)), now)
        assert self._ahead
        batch, self._ahead = self._ahead.result(), None
        return batch

    def _submit(self, number: int, now: float) -> None:
        self._ahead = self._thread.submit(self._claim, number, now + BEGIN_WITHIN.total_seconds())

    def close(self) -> list[Claimed]:
        """What was claimed and not taken."""
        rest = self.take().claimed if self._ahead else []
        self._thread.shutdown()
        return rest

    def _claim(self, limit: int, begin_by: float) -> Batch:
        try:
            with self._begin() as session:
                claimed, is_alone = self._due(session, limit)
                said = refusals(session, claimed, now=self._clock())
                self._variants = _variants(session, {each.variant for each in claimed}, known=self._variants)
        except Exception as error:  # noqa: BLE001 - raised through the postman, it would leave letters in doubt
            log_failure(log, "nothing can be claimed", error)
            self._slot.is_unsure = True
            self._slot.cursors.drop()
            return Batch([], {}, begin_by, has_failed=True)
        self._slot.is_unsure = self._is_first = False
        return Batch(claimed, self._variants, begin_by, said, len(claimed) >= limit, is_alone)

    def _due(self, session: Session, limit: int) -> tuple[list[Claimed], bool]:
        now, urgent, cursors = self._clock(), self._slot.urgent, self._slot.cursors
        if self._slot.is_unsure and self._is_first:
            results.release(session, self._carrier, urgent=urgent)
        claimed = claim(session, self._carrier, limit=limit, urgent=urgent, key=self._key, now=now, cursors=cursors)
        if claimed or not self._is_first:
            return claimed, False
        suspect = claim_suspect(session, self._carrier, urgent=urgent, key=self._key, now=now)
        return suspect, bool(suspect)


def _variants(session: Session, needed: set[int], *, known: dict[int, Variant]) -> dict[int, Variant]:
    """The variants that a claim needs: an issue's letters share one, so most often it is known."""
    missing = needed - known.keys()
    found = session.scalars(select(Variant).where(Variant.id.in_(missing))).all() if missing else []
    return {number: variant for number, variant in known.items() if number in needed} | {v.id: v for v in found}
