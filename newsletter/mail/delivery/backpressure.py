"""Backpressure: a worker answers no more sign-ups than its relays take soon, so that networks take turns at any rate.

A letter that is owed waits behind all that were owed before it. So a flood that is answered at once would delay the
next visitor's letter by as much as the relays are slower than the worker.
"""

from datetime import datetime

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from newsletter.mail.delivery.deliveries import Delivery, undecided
from newsletter.mail.letters.letters import Letter, Priority

INITIAL_LETTERS = 32  # that a process lets wait before it has measured its relays
MIN_LETTERS = 8  # also if a relay takes a minute for each; its few letters then go out side by side
MAX_LETTERS = 200  # the letters of one set of sign-ups
TARGET_SECONDS = 2.0  # in which the relays take the letters that wait
MIN_SAMPLE = 8  # letters of a send run after which its measurement counts


class Backpressure:
    """Two seconds of the relays' work as measured, at most double the last; used by the sending thread only.

    Only the time counts in which letters are ready for the relays, so neither an idle worker nor a single slow
    recipient makes a relay look slow.
    """

    def __init__(self) -> None:
        self.letters = INITIAL_LETTERS
        self._taken = 0
        self._seconds = 0.0

    def note(self, taken: int, seconds: float) -> None:
        """Note that the relays took so many letters of one claim in this time."""
        self._taken += taken
        self._seconds += seconds
        if self._taken < MIN_SAMPLE:
            return
        limit = min(self.letters * 2, MAX_LETTERS)
        if self._taken * TARGET_SECONDS < limit * self._seconds:
            limit = max(MIN_LETTERS, int(self._taken * TARGET_SECONDS / self._seconds))
        self.letters, self._taken, self._seconds = limit, 0, 0.0

    def allowance(self, session: Session, *, now: datetime) -> int:
        """Return how many letters may be owed now: as many as the relays take soon, less those that wait already."""
        waiting = select(literal(1)).join_from(Delivery, Letter, Letter.id == Delivery.letter_id)
        due = waiting.where(undecided(Priority.URGENT), Delivery.due_at <= now, Letter.issue_id.is_(None))
        counted = select(func.count()).select_from(due.limit(self.letters).subquery())
        return self.letters - (session.scalar(counted) or 0)
