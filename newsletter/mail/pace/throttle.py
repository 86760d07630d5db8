"""Throttle and circuit breaker: how a relay's replies slow down all workers, pause them, and let them recover.

Throttle: the rate is halved, at most once a second, if 421 is more than 3 % of the last 200 replies, or if replies such
as 450 4.7.1 are more than 5 %. About one in a hundred of those concerns single recipients, as greylisting does; and a
421 now and then only ends a connection that has had its number of messages. While messages are taken the rate rises
again, each second by a sixtieth of what it was.

Circuit breaker: the relay rests if more than 20 % of the last 200 attempts were refused because of us: permanently, or
also for now if the rate cannot be lower. A rest takes 5, 10, 20, 40, then always 60 minutes. After it one message a
second is sent until the first of them has an outcome: if it is taken, sending continues; if it is refused, the next,
longer rest begins.
"""

from newsletter.mail.pace import attempt_window
from newsletter.mail.pace.attempt_window import WINDOW, AttemptWindow
from newsletter.mail.pace.shared_state import PaceState

CHANGE_INTERVAL = 1.0  # seconds between two changes of the limit: attempts under way when it was halved say nothing new
RECOVERY_STEPS = 60  # increases from zero to the rate before
MIN_RATE = 0.5  # messages a second
UNLIMITED_FACTOR = 2.0  # times the rate before: a relay without a configured rate is unlimited again from there on
MEASURING_SECONDS = 2.0  # over which the rate is measured
SLOWER_SHARE, MIN_SLOWER = 0.05, 5  # share and number of "slower" replies above which they are not about recipients
REPLY_421_SHARE = 0.03  # of 421 replies, above which they are about the rate; of a few replies, a single one is more
# Share of refusals, and the attempts needed to apply it; with fewer attempts, at least ten that are all refused.
REFUSED_SHARE, MIN_ATTEMPTS, MIN_ALL_REFUSED = 0.20, 50, 10
REST_SECONDS = (300.0, 600.0, 1200.0, 2400.0, 3600.0)
TRIAL_RATE = 1.0  # messages a second


def after(
    state: PaceState, codes: str, *, rate: float | None, now: float, why: str = "", count: int | None = None
) -> PaceState:
    """Return the state after more attempts: the codes of the newest ones, and how many they were in all.

    `rate` is the relay's configured rate in messages a second; `why` is the last reply against us.
    """
    if not codes:
        return state
    state = _measured(state, len(codes) if count is None else count, now)
    if is_resting(state, now):
        return state  # these attempts were under way when the rest began
    state = state._replace(marks=(state.marks + codes)[-WINDOW:])
    return _rested(_throttled(state, codes, rate, why, now), codes, why, now)


def limit(state: PaceState, *, rate: float | None) -> float | None:
    """Return the messages a second allowed; None for as fast as the relay takes them."""
    limits = (rate, state.limit, TRIAL_RATE if state.is_on_trial else None)
    return min((each for each in limits if each is not None), default=None)


def is_resting(state: PaceState, now: float) -> bool:
    """Return whether nothing may be sent. A clock that was set back makes no rest longer."""
    return 0 < state.rest_until - now <= REST_SECONDS[-1]


def _measured(state: PaceState, count: int, now: float) -> PaceState:
    passed = now - state.counted_since
    if MEASURING_SECONDS <= passed < 2 * MEASURING_SECONDS:
        return state._replace(measured=state.counted / passed, counted=count, counted_since=now)
    if 0 <= passed < MEASURING_SECONDS:
        return state._replace(counted=state.counted + count)
    return state._replace(measured=0.0, counted=count, counted_since=now)


def _throttled(state: PaceState, codes: str, rate: float | None, why: str, now: float) -> PaceState:
    if state.limit is not None and 0 <= now - state.eased_at < CHANGE_INTERVAL:
        return state
    if _asks_to_slow_down(state.marks, codes):
        measured = state.measured or state.counted / max(now - state.counted_since, 1.0)
        before = min(each for each in (state.limit, rate, max(measured, 2 * MIN_RATE)) if each is not None)
        aim = state.aim if state.limit is not None else rate or before
        return state._replace(limit=max(before / 2, MIN_RATE), aim=aim, eased_at=now, why=why)
    if state.limit is None or attempt_window.TAKEN not in codes:
        return state
    faster = state.limit + state.aim / RECOVERY_STEPS
    has_recovered = faster >= (rate or UNLIMITED_FACTOR * state.aim)
    return state._replace(limit=None if has_recovered else faster, eased_at=now)


def _asks_to_slow_down(window: str, codes: str) -> bool:
    reply_421, slower = attempt_window.REPLY_421, attempt_window.SLOWER
    if reply_421 in codes and window.count(reply_421) > REPLY_421_SHARE * len(window):
        return True
    count = window.count(slower)
    return slower in codes and count >= MIN_SLOWER and count > SLOWER_SHARE * len(window)


def _rested(state: PaceState, codes: str, why: str, now: float) -> PaceState:
    if state.is_on_trial and attempt_window.TAKEN in codes:
        state = state._replace(is_on_trial=False)
    window = AttemptWindow.of(state.marks)
    is_slowest = state.limit is not None and state.limit <= MIN_RATE
    against_us = window.against_us if is_slowest else window.refused
    has_failed = state.is_on_trial and (attempt_window.REFUSED in codes or attempt_window.REPLY_421 in codes)
    if has_failed or too_many(against_us, window.seen):
        length = REST_SECONDS[min(state.rests, len(REST_SECONDS) - 1)]
        return state._replace(
            marks="", rest_until=now + length, rests=state.rests + 1, is_on_trial=True, why=why or state.why
        )
    return state._replace(rests=0) if window.seen == WINDOW else state


def too_many(refused: int, seen: int, *, share: float = REFUSED_SHARE) -> bool:
    """Return whether refusals are more than chance: above the share of at least 50 attempts, or all of at least 10."""
    return refused > share * seen if seen >= MIN_ATTEMPTS else refused == seen >= MIN_ALL_REFUSED
