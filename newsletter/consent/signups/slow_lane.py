"""The slow lane: sign-ups whose letters were over a limit wait there for their turn, and lapse after a day.

Those that a program seems to have posted begin there.

A claim looks at few of them, however many wait. A sign-up that it looks at in vain goes to the end of its network's
line, and none is looked at twice within a minute.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, FromClause, bindparam, func, select, tuple_, update
from sqlalchemy.orm import Session

from newsletter.consent.evidence_terms import EvidenceField
from newsletter.consent.limits import pressure
from newsletter.consent.limits.pressure import LAPSED, OVERALL, LetterLimits
from newsletter.consent.signups import signup_queue
from newsletter.consent.signups.signup_queue import NO_ID, SIGNUPS, SignupQueue, SignupRow
from newsletter.consent.signups.signups import IS_SLOW, SLOW_LANE_LIFETIME, Signup
from newsletter.keys import Keyring
from newsletter.store.database import UtcDateTime

LOOK_AGAIN = timedelta(minutes=1)  # after a look in vain
LAPSE_AT_ONCE = 500  # sign-ups, in one transaction
MANY_DOUBTED = 100  # sign-ups that may come from programs: so many do not wait only because of their doubt
NO_OBJECTS = {"synchronize_session": False}  # the session holds none of the rows


def _slow_line(given: FromClause) -> tuple[ColumnElement[bool], ...]:
    before = tuple_(given.c.network_key, bindparam("looked_before", type_=UtcDateTime()))
    return SIGNUPS.network_key >= given.c.network_key, tuple_(SIGNUPS.network_key, SIGNUPS.slow_lane_at) <= before


SLOW_SIGNUPS = SignupQueue(
    condition=IS_SLOW,
    order=(SIGNUPS.network_key, SIGNUPS.slow_lane_at, SIGNUPS.id),
    line_of=_slow_line,
    also=(SIGNUPS.received_at > bindparam("oldest", type_=UtcDateTime()),),
)


class Turn(NamedTuple):
    """The sign-ups whose turn has come, locked, and the network at which the next claim goes on."""

    rows: Sequence[SignupRow]
    after: str | None


class Waiting(NamedTuple):
    """The sign-ups in the slow lane."""

    number: int
    since: datetime | None  # when the oldest was received


def claim(
    session: Session, *, keyring: Keyring, limits: LetterLimits, limit: int, after: str | None, now: datetime
) -> Turn:
    """Lock and return at most `limit` sign-ups whose letters fit their limits now, in turns between networks.

    Looks at `limit` sign-ups at most; moves those that do not fit to the end of their network's line.
    """
    with signup_queue.in_index_order(session):
        keys = signup_queue.networks(session, SLOW_SIGNUPS, limit=limit, after=after)
    counts = pressure.count(session, [OVERALL, *keys], now=now)
    if not keys or counts[OVERALL] >= limits.overall:
        return Turn([], after)
    open_keys = dict.fromkeys((key for key in keys if counts[key] < limits.network), NO_ID)
    rows = _look(session, open_keys, each=-(-limit // len(open_keys)), now=now)[:limit] if open_keys else []
    letters = [
        pressure.letter_keys(keyring, ip=row.evidence.get(EvidenceField.IP), address_key=row.address_key)
        for row in rows
    ]
    room = pressure.glance(session, letters, limits, now=now)
    fitting = [row for row, letter in zip(rows, letters, strict=True) if room.take(letter)]
    _move_to_the_end(session, {row.id for row in rows} - {row.id for row in fitting}, now=now)
    return Turn(fitting, keys[-1])


def lapse(session: Session, *, now: datetime) -> int:
    """Let sign-ups that have had no turn in time leave the lane, at most `LAPSE_AT_ONCE`; return how many left.

    They stay quiet, and retention deletes them.
    """
    due = select(Signup.id).where(IS_SLOW, Signup.forget_at <= now).order_by(Signup.forget_at).limit(LAPSE_AT_ONCE)
    leave = update(Signup).where(Signup.id.in_(due.with_for_update(skip_locked=True))).values(slow_lane_at=None)
    left = len(session.scalars(leave.returning(Signup.id), execution_options=NO_OBJECTS).all())
    pressure.add(session, Counter({LAPSED: left} if left else {}), now=now)
    return left


def is_open(session: Session) -> bool:
    """Return whether any sign-up waits in the lane."""
    return signup_queue.is_any(session, SLOW_SIGNUPS)


def is_under_attack(session: Session) -> bool:
    """Return whether a limit holds sign-ups up: one waits that nothing speaks against, or MANY_DOUBTED wait.

    One program that fills in a form wrongly would else make every visitor work. It looks at few, however many wait.
    """
    doubts = session.scalars(select(Signup.doubt).where(IS_SLOW).limit(MANY_DOUBTED)).all()
    return is_attack(waiting=len(doubts), doubted=sum(doubt is not None for doubt in doubts))


def is_attack(*, waiting: int, doubted: int) -> bool:
    """Return the same from the numbers of sign-ups in the lane, and of those among them that are doubted."""
    return waiting >= MANY_DOUBTED or waiting > doubted


def waiting(session: Session) -> Waiting:
    """Return how many sign-ups wait in the lane, and the oldest. It reads the lane's index, and one row."""
    lane = select(func.count().label("number"), func.min(Signup.id).label("oldest")).where(IS_SLOW).subquery()
    number, since = session.execute(
        select(lane.c.number, Signup.received_at).outerjoin_from(lane, Signup, Signup.id == lane.c.oldest)
    ).one()
    return Waiting(number, since)


def doubted(session: Session) -> int:
    """Return how many sign-ups wait in the lane that a program seems to have posted."""
    return session.scalar(select(func.count()).where(IS_SLOW, Signup.doubt.is_not(None))) or 0


def longest_lines(session: Session, *, limit: int) -> list[tuple[str | None, int]]:
    """Return the networks of which most sign-ups wait: the IP address of one of their clients, and the number."""
    number = func.count().label("number")
    lines = select(func.min(Signup.id), number).where(IS_SLOW).group_by(Signup.network_key)
    longest = session.execute(lines.order_by(number.desc()).limit(limit)).all()
    firsts = select(Signup.id, Signup.evidence).where(Signup.id.in_([first for first, _ in longest]))
    clients = {row.id: row.evidence.get(EvidenceField.IP) for row in session.execute(firsts)}
    return [(clients[first], n) for first, n in longest]


def _look(session: Session, after: dict[str, int], *, each: int, now: datetime) -> list[SignupRow]:
    parameters = {"looked_before": now - LOOK_AGAIN, "oldest": now - SLOW_LANE_LIFETIME}
    lines: dict[str, list[SignupRow]] = {network: [] for network in after}
    with signup_queue.in_index_order(session):
        for row in signup_queue.take(session, SLOW_SIGNUPS, after, each=each, parameters=parameters):
            lines[row.network_key].append(row)
    return signup_queue.in_turns(list(lines.values()))


def _move_to_the_end(session: Session, ids: set[int], *, now: datetime) -> None:
    if ids:
        moved = update(Signup).where(Signup.id.in_(sorted(ids))).values(slow_lane_at=now)
        session.execute(moved, execution_options=NO_OBJECTS)
