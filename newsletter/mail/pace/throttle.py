"""Tempo: how a relay's answers slow all carriers down, let them rest, and bring them back to speed.

Slower: the pace is halved, at most once a second, when 421 is more than 3 % of the last 200 replies, or when replies
such as 450 4.7.1 are more than 5 %. Of them one in a hundred is about readers, as greylisting is, and of 421 about
connections that have had their number of letters. While letters are taken the pace rises again, by a sixtieth a second
of what it was.

Rest: when more than 20 % of the last 200 attempts were refused for good and because of us, or also for now where the
pace can be no slower; for 5, 10, 20, 40, then always 60 minutes. After a rest one letter a second leaves until the
first of them is decided: taken, all goes on; refused, the next rest is longer.
"""

from newsletter.mail.pace import attempt_window as mark
from newsletter.mail.pace.attempt_window import WINDOW, AttemptWindow
from newsletter.mail.pace.shared_state import PaceState

EASE = 1.0  # seconds between two changes of the limit: what was under way when it was halved says nothing new
STEPS = 60  # additions from nothing to the pace that it had
SLOWEST = 0.5  # letters a second
BEYOND = 2.0  # times the pace that it had: for a relay without a rate of its own, as fast as it takes them again
SPAN = 2.0  # seconds over which the pace is measured
STORM, FEW = 0.05, 5  # share and number of replies that say "slower" from which on they are not about single readers
CLOSING = 0.03  # share of 421 from which on it is about pace; of a few replies a single one is more
TOO_MANY, ENOUGH, ALL = 0.20, 50, 10  # refusals, of so many attempts at least; or of these every single one
RESTS = (300.0, 600.0, 1200.0, 2400.0, 3600.0)  # seconds
TRIAL = 1.0  # letters a second


def after(
    notes: PaceState, heard: str, *, rate: float | None, now: float, why: str = "", count: int | None = None
) -> PaceState:
    """The notes after more attempts: their newest marks, and how many they were. `rate` in letters a second."""
    if not heard:
        return notes
    notes = _measured(notes, len(heard) if count is None else count, now)
    if is_resting(notes, now):
        return notes  # what is said during a rest answers to what was under way when it began
    notes = notes._replace(marks=(notes.marks + heard)[-WINDOW:])
    return _rested(_eased(notes, heard, rate, why, now), heard, why, now)


def limit(notes: PaceState, *, rate: float | None) -> float | None:
    """Letters a second at most; None: as fast as the relay takes them."""
    limits = (rate, notes.limit, TRIAL if notes.is_on_trial else None)
    return min((each for each in limits if each is not None), default=None)


def is_resting(notes: PaceState, now: float) -> bool:
    """Whether nothing is to leave. A clock that was set back makes no rest longer."""
    return 0 < notes.rest_until - now <= RESTS[-1]


def _measured(notes: PaceState, count: int, now: float) -> PaceState:
    passed = now - notes.counted_since
    if SPAN <= passed < 2 * SPAN:
        return notes._replace(measured=notes.counted / passed, counted=count, counted_since=now)
    if 0 <= passed < SPAN:
        return notes._replace(counted=notes.counted + count)
    return notes._replace(measured=0.0, counted=count, counted_since=now)


def _eased(notes: PaceState, heard: str, rate: float | None, why: str, now: float) -> PaceState:
    if notes.limit is not None and 0 <= now - notes.eased_at < EASE:
        return notes
    if _is_storm(notes.marks, heard):
        pace = notes.measured or notes.counted / max(now - notes.counted_since, 1.0)
        before = min(each for each in (notes.limit, rate, max(pace, 2 * SLOWEST)) if each is not None)
        aim = notes.aim if notes.limit is not None else rate or before
        return notes._replace(limit=max(before / 2, SLOWEST), aim=aim, eased_at=now, why=why)
    if notes.limit is None or mark.TAKEN not in heard:
        return notes
    faster = notes.limit + notes.aim / STEPS
    is_over = faster >= (rate or BEYOND * notes.aim)
    return notes._replace(limit=None if is_over else faster, eased_at=now)


def _is_storm(last: str, heard: str) -> bool:
    if mark.CLOSED in heard and last.count(mark.CLOSED) > CLOSING * len(last):
        return True
    slower = last.count(mark.SLOWER)
    return mark.SLOWER in heard and slower >= FEW and slower > STORM * len(last)


def _rested(notes: PaceState, heard: str, why: str, now: float) -> PaceState:
    if notes.is_on_trial and mark.TAKEN in heard:
        notes = notes._replace(is_on_trial=False)
    window = AttemptWindow.of(notes.marks)
    is_slowest = notes.limit is not None and notes.limit <= SLOWEST
    against_us = window.against_us if is_slowest else window.refused
    has_failed = notes.is_on_trial and (mark.REFUSED in heard or mark.CLOSED in heard)
    if has_failed or is_too_much(against_us, window.seen):
        length = RESTS[min(notes.rests, len(RESTS) - 1)]
        return notes._replace(
            marks="", rest_until=now + length, rests=notes.rests + 1, is_on_trial=True, why=why or notes.why
        )
    return notes._replace(rests=0) if window.seen == WINDOW else notes


def is_too_much(refused: int, seen: int, *, share: float = TOO_MANY) -> bool:
    """Whether so many refusals are more than chance: more than the share of 50 or more attempts, or each of 10."""
    return refused > share * seen if seen >= ENOUGH else refused == seen >= ALL
