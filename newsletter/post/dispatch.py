"""Dispatch: claim, carry, record, for as long as a ring lasts.

claim   what is due, with consent joined in        one transaction
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

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.database import Begin
from newsletter.keys import Keyring
from newsletter.post.carriers import Heart
from newsletter.post.claims import MOST, Claimed, claim, claim_suspect
from newsletter.post.faults import tell
from newsletter.post.letters import Variant
from newsletter.post.merge import FieldError
from newsletter.post.parcels import BEGIN_WITHIN, Packer
from newsletter.post.postman import Fate, Parcel, Postman, Reply, Report
from newsletter.post.recorder import Recorder

FIRST = 32  # deliveries in a ring's first claim; the next are as many as were begun in time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatcher:
    """What carrying needs: where deliveries lie, who carries them, and what fills them in."""

    begin: Begin
    postman: Postman
    packer: Packer
    keyring: Keyring
    heart: Heart
    clock: Callable[[], datetime]
    express: Postman | None = None  # for urgent letters, on connections of his own; None: there is one for all
    ticks: Callable[[], float] = time.monotonic
    stop: Event = field(default_factory=Event)

    def carry_due(self, *, urgent: bool, until: float) -> int:
        """Carry what is due until nothing is, or the monotonic clock passes `until`; returns how many were recorded.

        Once `stop` is set, nothing is carried but the letter in hand.
        """
        postman = (urgent and self.express) or self.postman
        carrier = self.heart.carrier(now=self.clock())
        with Recorder(self.begin, carrier, clock=self.clock) as recorder:
            ring = _Ring(self, carrier, recorder, urgent=urgent, until=until)
            try:
                postman.carry(ring.parcels(), ring.report, stop=ring.is_over)
            finally:
                ring.settle()
        if recorder.fates:
            log.info("letters carried", extra={"urgent": urgent, **recorder.fates})
        return recorder.recorded


class _Ring:
    """One ring's work: whatever the postman does, everything that it claims is reported on."""

    def __init__(self, dispatcher: Dispatcher, carrier: int, recorder: Recorder, *, urgent: bool, until: float) -> None:
        self._desk = dispatcher
        self._carrier = carrier
        self._recorder = recorder
        self._urgent = urgent
        self._until = until
        self._variants: dict[int, Variant] = {}
        self._in_hand: deque[Claimed] = deque()
        self._under_way: dict[int, Claimed] = {}
        self._was_early = False
        self._has_begun = False
        self._is_alone = False

    def is_over(self) -> bool:
        return self._desk.stop.is_set() or self._desk.ticks() >= self._until

    def parcels(self) -> Iterator[Parcel]:
        """What is due, claimed when it is asked for, and at a time only as much as was begun in time before."""
        limit = FIRST
        while not self.is_over() and not self._is_alone:
            begin_by = self._desk.ticks() + BEGIN_WITHIN.total_seconds()
            self._in_hand.extend(self._claim(limit))
            if not self._in_hand:
                return
            while self._in_hand:
                if parcel := self._pack(self._in_hand.popleft(), begin_by):
                    yield parcel
            limit = self._next_limit(limit)

    def report(self, report: Report) -> None:
        """What the postman says. Should he say it twice, the first word counts: the second finds nobody's letter."""
        self._under_way.pop(report.delivery, None)
        self._was_early |= report.fate is Fate.UNTOUCHED
        self._recorder.report(report)

    def settle(self) -> None:
        """Give back what was not pulled; what was pulled and never reported on may have arrived."""
        for claimed in self._in_hand:
            self._say(claimed, Fate.UNTOUCHED)
        for claimed in self._under_way.values():
            self._say(claimed, Fate.IN_DOUBT, "the postman ended without a word about it")

    def _next_limit(self, limit: int) -> int:
        """Twice as many where all were begun in time; else half, and what went back is there to be claimed again."""
        if not self._was_early:
            return min(limit * 2, MOST)
        self._recorder.flush()
        self._was_early = False
        return max(1, limit // 2)

    def _claim(self, limit: int) -> list[Claimed]:
        """What is due, and the letters that it needs; nothing while the database is away."""
        try:
            with self._desk.begin() as session:
                claimed = self._due(session, limit)
                self._variants = _variants(session, {each.variant for each in claimed}, known=self._variants)
        except Exception as error:  # noqa: BLE001 - raised through the postman, it would leave letters in doubt
            tell(log, "nothing can be claimed", error)
            return []
        self._has_begun |= bool(claimed)
        return claimed

    def _due(self, session: Session, limit: int) -> list[Claimed]:
        now, key, urgent = self._desk.clock(), self._desk.keyring.newest, self._urgent
        claimed = claim(session, self._carrier, limit=limit, urgent=urgent, key=key, now=now)
        if not claimed and not self._has_begun:
            claimed = claim_suspect(session, self._carrier, urgent=urgent, key=key, now=now)
            self._is_alone = bool(claimed)
        return claimed

    def _pack(self, claimed: Claimed, begin_by: float) -> Parcel | None:
        """The parcel; a letter that cannot be made is reported with the reason, and the others go on."""
        try:
            parcel = self._desk.packer.pack(claimed, self._variants[claimed.variant], begin_by=begin_by)
        except FieldError as error:
            self._say(claimed, Fate.REFUSED, f"the letter cannot be written: {error}")
        except Exception as error:  # noqa: BLE001 - a mistake of ours: somebody may mend it while the letter waits
            tell(log, "a delivery cannot be made", error, delivery=claimed.delivery)
            self._say(claimed, Fate.LATER, f"the letter cannot be written: {type(error).__name__}")
        else:
            self._under_way[claimed.delivery] = claimed
            return parcel
        return None

    def _say(self, claimed: Claimed, fate: Fate, why: str | None = None) -> None:
        reply = Reply(None, None, why) if why else None
        self._recorder.report(Report(claimed.delivery, claimed.attempt, fate, reply, self._desk.clock()))


def _variants(session: Session, needed: set[int], *, known: dict[int, Variant]) -> dict[int, Variant]:
    """The variants that a claim needs: an issue's letters share one, so most often it is known."""
    missing = needed - known.keys()
    found = session.scalars(select(Variant).where(Variant.id.in_(missing))).all() if missing else []
    return {number: variant for number, variant in known.items() if number in needed} | {v.id: v for v in found}
