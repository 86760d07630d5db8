"""Dispatch: claim, carry, record, for as long as a ring lasts.

claim   what is due, with consent joined in        one transaction
  -> carry   over the postman's connections        no transaction is open
    -> record   what became of each                group commits from a thread of its own
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from newsletter.database import Begin
from newsletter.errors import NewsletterError
from newsletter.keys import Keyring
from newsletter.post.carriers import Heart
from newsletter.post.claims import MOST, Claimed, claim
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

    def carry_due(self, *, urgent: bool, until: float) -> int:
        """Carry what is due until nothing is, or `time.monotonic()` passes `until`; returns how many were recorded."""
        carrier = self.heart.carrier(now=self.clock())
        with Recorder(self.begin, carrier, clock=self.clock) as recorder:
            round_ = _Round(self, carrier, recorder, urgent=urgent, until=until)
            self.postman.carry(round_.parcels(), round_.report, stop=round_.is_over)
            round_.hand_back()
        return recorder.recorded


class _Round:
    """One ring's work. What was claimed and not pulled by the postman goes back untouched."""

    def __init__(self, dispatcher: Dispatcher, carrier: int, recorder: Recorder, *, urgent: bool, until: float) -> None:
        self._desk = dispatcher
        self._carrier = carrier
        self._recorder = recorder
        self._urgent = urgent
        self._until = until
        self._in_hand: deque[Claimed] = deque()
        self._untouched = False

    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def parcels(self) -> Iterator[Parcel]:
        limit = FIRST
        while not self.is_over():
            begin_by = time.monotonic() + BEGIN_WITHIN.total_seconds()
            self._in_hand = deque(self._claim(limit))
            if not self._in_hand:
                return
            while self._in_hand:
                if parcel := self._pack(self._in_hand.popleft(), begin_by):
                    yield parcel
            limit = max(1, limit // 2) if self._untouched else min(limit * 2, MOST)
            self._untouched = False

    def report(self, report: Report) -> None:
        # What goes back untouched was claimed too early: the next claim is smaller, the reader's consent fresher.
        self._untouched |= report.fate == Fate.UNTOUCHED
        self._recorder.report(report)

    def hand_back(self) -> None:
        for claimed in self._in_hand:
            self._say(claimed, Fate.UNTOUCHED, None)

    def _claim(self, limit: int) -> list[Claimed]:
        desk = self._desk
        with desk.begin() as session:
            claimed = claim(
                session,
                self._carrier,
                limit=limit,
                urgent=self._urgent,
                key=desk.keyring.newest,
                now=desk.clock(),
            )
            desk.packer.learn(session, claimed)
        return claimed

    def _pack(self, claimed: Claimed, begin_by: float) -> Parcel | None:
        """The parcel; a letter that cannot be made fails with the reason, and the others go on."""
        try:
            return self._desk.packer.pack(claimed, begin_by=begin_by)
        except (NewsletterError, ValueError) as error:
            log.warning("delivery %d cannot be made: %s", claimed.delivery, type(error).__name__)
            self._say(claimed, Fate.REFUSED, Reply(None, None, f"cannot be written: {type(error).__name__}"))
            return None

    def _say(self, claimed: Claimed, fate: Fate, reply: Reply | None) -> None:
        self._recorder.report(Report(claimed.delivery, claimed.attempt, fate, reply, self._desk.clock()))
