"""Pace: how fast a relay wants its letters. A postman asks it before each letter, and tells it what came of each."""

import time
from collections import deque
from collections.abc import Callable
from math import inf

from newsletter.mail.pace import attempt_window as mark
from newsletter.mail.pace import throttle
from newsletter.mail.pace.attempt_window import WINDOW
from newsletter.mail.pace.shared_state import PaceState, SharedState
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.relays import Relay

BLOCK = 0.2  # seconds' worth of turns that all processes together reserve at a time
LATE = 0.25  # seconds after which a turn that nobody took is gone, but for one: it costs the others less than a new one
LOOK = 1.0  # seconds between two looks at the board
SOON = 0.1  # seconds between two, while the relay complains


class SharedPace:
    """A relay's pace as all who write to it know it from a board.

    The board is asked once a second, soon after each complaint of the relay, and for each block of turns where there is
    a rate. Urgent letters, which somebody waits for and which are few, leave also while the relay rests.
    """

    def __init__(
        self, board: SharedState, relay: Relay, *, urgent: bool = False, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self.place = f"{relay.host}:{relay.port}"
        self._key = f"relay:{self.place}"
        self._board = board
        self._rate = relay.rate
        self._urgent = urgent
        self._ticks = ticks
        self._notes = PaceState()
        self._marks: deque[str] = deque(maxlen=WINDOW)  # not on the board yet, the newest
        self._count = 0  # of all that are not
        self._why = ""
        self._looked_at = self._look_at = -inf
        self._rested_until = 0.0  # by the board's clock: the rest that was begun here
        self._resume_at = -inf  # by ours
        self._limit = relay.rate
        self._interval = 0.0  # seconds from turn to turn
        self._turns = 0  # left of a block; below zero where more letters were begun than had a turn
        self._next = 0.0  # when the first of them is

    def delay(self) -> float:
        """Seconds until the rest is over or the next turn comes."""
        now = self._ticks()
        if now >= self._look_at:
            self._look(now)
        if now < self._resume_at:
            return self._resume_at - now
        return 0.0 if self._limit is None else self._turn(now, self._limit)

    def begun(self) -> None:
        """Take the turn."""
        if self._limit is not None:
            self._turns -= 1
            self._next += self._interval

    def heard(self, report: Result) -> None:
        """Note it for the board; at once where the relay complains, or where it is the letter that ends its trial."""
        if report.outcome is Outcome.TAKEN:
            self._marks.append(mark.TAKEN)
            self._count += 1
            if self._notes.is_on_trial:
                self._look_at = self._looked_at + SOON
            return
        if left := mark.code_of(report):
            self._marks.append(left)
            self._count += 1
            if left in mark.AGAINST_US and report.reply:
                self._why = report.reply.words
                self._look_at = min(self._look_at, self._looked_at + SOON)

    def seats(self, most: int) -> int:
        """An equal share, at least one. Urgent letters have theirs in each process, or one verdict held all up."""
        return most if self._urgent else max(1, most // self._board.company(self._key))

    def says(self) -> tuple[str, float] | None:
        """Why letters leave slowly or not at all, in words for an operator, and for how many seconds, 0 for unknown."""
        notes, left = self._notes, self._resume_at - self._ticks()
        because = f" It said last: {notes.why}" if notes.why else ""
        if left > 0:
            return f"It refused too many of the last letters and is left alone for a while.{because}", left
        if notes.limit is not None:
            return f"It asked us to slow down: at most {notes.limit:.2g} letters a second leave now.{because}", 0.0
        return None

    def _look(self, now: float) -> None:
        """Tell the board what was heard, and learn what all have heard."""
        heard, count = "".join(self._marks), self._count
        self._marks.clear()
        self._count = 0
        notes, time_there = self._board.change(
            self._key,
            lambda notes, now: throttle.after(notes, heard, rate=self._rate, now=now, why=self._why, count=count),
        )
        self._looked_at, self._look_at = now, now + LOOK
        self._notes = notes
        if notes.rest_until != self._rested_until and not self._urgent:
            # Counted by our own clock from here on: the board's may be set while the relay rests.
            self._rested_until = notes.rest_until
            is_resting = throttle.is_resting(notes, time_there)
            self._resume_at = now + notes.rest_until - time_there if is_resting else -inf
        limit = throttle.limit(notes._replace(is_on_trial=notes.is_on_trial and not self._urgent), rate=self._rate)
        if limit != self._limit:
            self._limit, self._turns = limit, min(self._turns, 0)

    def _turn(self, now: float, limit: float) -> float:
        if self._turns <= 0:
            self._reserve(now, limit)
        left = self._next - now
        if left > -LATE:
            return left if left > 0 else 0.0
        gone = min(int((-LATE - left) / self._interval), self._turns - 1)
        self._turns -= gone
        self._next += gone * self._interval
        return max(0.0, self._next - now)

    def _reserve(self, now: float, limit: float) -> None:
        """Take as many turns as are this process's share of the next moment, and those that it owes."""
        owed = -self._turns
        turns = max(1, int(limit * BLOCK / self._board.company(self._key)))
        start = self._board.reserve(self._key, rate=limit, turns=turns + owed)
        self._interval = 1 / limit
        self._turns, self._next = turns, now + start + owed * self._interval
