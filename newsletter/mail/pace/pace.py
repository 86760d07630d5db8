"""The shared pace: how fast all workers together may send to a relay.

A transport asks it before each message, and reports each result to it.
"""

import time
from collections import deque
from collections.abc import Callable
from math import inf

from newsletter.mail.pace import attempt_window, throttle
from newsletter.mail.pace.attempt_window import WINDOW
from newsletter.mail.pace.shared_state import PaceState, SharedState
from newsletter.mail.transport.transport import Outcome, Result
from newsletter.relays import Relay

BLOCK_SECONDS = 0.2  # seconds' worth of turns that all processes together reserve at a time
# After this many seconds all unused turns of a block but one are lost; to keep one costs others less than a new block.
LATE_SECONDS = 0.25
UPDATE_INTERVAL = 1.0  # seconds between two updates of the shared state
URGENT_UPDATE_INTERVAL = 0.1  # seconds between two updates, while the relay refuses because of us


class SharedPace:
    """A relay's pace, from the state that all workers share.

    The shared state is updated once a second, sooner after each refusal because of us, and for each block of turns if
    there is a rate. Urgent messages, which are few and which somebody waits for, leave also while the relay rests.
    """

    def __init__(
        self,
        shared_state: SharedState,
        relay: Relay,
        *,
        urgent: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.place = f"{relay.host}:{relay.port}"
        self._key = f"relay:{self.place}"
        self._shared_state = shared_state
        self._rate = relay.rate
        self._urgent = urgent
        self._monotonic = monotonic
        self._state = PaceState()
        self._codes: deque[str] = deque(maxlen=WINDOW)  # of the newest outcomes that are not shared yet
        self._count = 0  # of all outcomes that are not shared yet
        self._why = ""
        self._updated_at = self._update_at = -inf
        self._rested_until = 0.0  # by the shared clock: the rest that `_resume_at` was computed for
        self._resume_at = -inf  # by the monotonic clock
        self._limit = relay.rate
        self._interval = 0.0  # seconds from turn to turn
        self._turns = 0  # left in the block; negative if more messages were begun than had a turn
        self._next = 0.0  # when the first of them is

    def delay(self) -> float:
        """Return the seconds until the rest is over or the next turn comes."""
        now = self._monotonic()
        if now >= self._update_at:
            self._update(now)
        if now < self._resume_at:
            return self._resume_at - now
        return 0.0 if self._limit is None else self._turn(now, self._limit)

    def message_begun(self) -> None:
        """Use a turn."""
        if self._limit is not None:
            self._turns -= 1
            self._next += self._interval

    def record(self, result: Result) -> None:
        """Keep a result for the next update, which comes sooner after a refusal because of us, or during a trial."""
        if result.outcome is Outcome.TAKEN:
            self._codes.append(attempt_window.TAKEN)
            self._count += 1
            if self._state.is_on_trial:
                self._update_at = self._updated_at + URGENT_UPDATE_INTERVAL
            return
        if code := attempt_window.outcome_code(result.outcome, result.reply):
            self._codes.append(code)
            self._count += 1
            if code in attempt_window.AGAINST_US and result.reply:
                self._why = result.reply.line
                self._update_at = min(self._update_at, self._updated_at + URGENT_UPDATE_INTERVAL)

    def connection_limit(self, limit: int) -> int:
        """Return an equal share of the connections, at least one.

        Urgent messages have all of them in each process, so that one slow reply does not delay the others.
        """
        return limit if self._urgent else max(1, limit // self._shared_state.process_count(self._key))

    def slowdown(self) -> tuple[str, float] | None:
        """Return why messages leave slowly or not at all, for an operator, and for how many seconds (0: unknown).

        Returns None if nothing slows them down.
        """
        state, left = self._state, self._resume_at - self._monotonic()
        last_reply = f" Its last reply: {state.why}" if state.why else ""
        if left > 0:
            return f"It refused too many of the last letters and rests for a while.{last_reply}", left
        if state.limit is not None:
            return f"It asked us to slow down: at most {state.limit:.2g} letters a second leave now.{last_reply}", 0.0
        return None

    def _update(self, now: float) -> None:
        """Add our outcomes to the shared state, and apply what it says now."""
        codes, count = "".join(self._codes), self._count
        self._codes.clear()
        self._count = 0
        state, shared_now = self._shared_state.change(
            self._key,
            lambda state, now: throttle.after(state, codes, rate=self._rate, now=now, why=self._why, count=count),
        )
        self._updated_at, self._update_at = now, now + UPDATE_INTERVAL
        self._state = state
        if state.rest_until != self._rested_until and not self._urgent:
            # Measured by the monotonic clock from here on: the shared clock may be set while the relay rests.
            self._rested_until = state.rest_until
            is_resting = throttle.is_resting(state, shared_now)
            self._resume_at = now + state.rest_until - shared_now if is_resting else -inf
        limit = throttle.limit(state._replace(is_on_trial=state.is_on_trial and not self._urgent), rate=self._rate)
        if limit != self._limit:
            self._limit, self._turns = limit, min(self._turns, 0)

    def _turn(self, now: float, limit: float) -> float:
        if self._turns <= 0:
            self._reserve(now, limit)
        left = self._next - now
        if left > -LATE_SECONDS:
            return left if left > 0 else 0.0
        lost = min(int((-LATE_SECONDS - left) / self._interval), self._turns - 1)
        self._turns -= lost
        self._next += lost * self._interval
        return max(0.0, self._next - now)

    def _reserve(self, now: float, limit: float) -> None:
        """Reserve this process's share of the next block of turns, and the turns that it owes."""
        owed = -self._turns
        turns = max(1, int(limit * BLOCK_SECONDS / self._shared_state.process_count(self._key)))
        start = self._shared_state.reserve(self._key, rate=limit, turns=turns + owed)
        self._interval = 1 / limit
        self._turns, self._next = turns, now + start + owed * self._interval
