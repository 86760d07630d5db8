"""The queue of sign-ups: networks take turns, so that a flood from one delays no visitor from elsewhere.

A claim costs the same whatever the length of the queue: it jumps from network to network in a partial index (a loose
index scan) and reads only the first rows of each.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    String,
    TextClause,
    bindparam,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session, aliased

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups.signups import RECEIVED, Signup
from newsletter.consent.subscribers.address_changes import UNANSWERED, AddressChange
from newsletter.store import bulk_rows
from newsletter.store.database import ID_TYPE, UtcDateTime, is_on_sqlite

NO_ID = 0  # before every row's
SIGNUPS = Signup.__table__.c

# Whatever PostgreSQL's statistics say, it reads the queue's index in order: another index and a sort seem cheap to it
# while few sign-ups wait, or one network has most of them, and a connection keeps such a plan.
_INDEX_ORDER = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")

SignupRow = Row[Any]  # the columns of a sign-up, by name


@dataclass(frozen=True)
class SignupQueue:
    """Sign-ups that wait, as one partial index on their networks holds them."""

    condition: TextClause  # of the index
    order: tuple[ColumnElement[Any], ...]  # of the index
    line_of: Callable[[FromClause], tuple[ColumnElement[bool], ...]]  # what belongs to a network, as ends of the index
    also: tuple[ColumnElement[bool], ...]  # further conditions; rows that do not meet them must be few


def _received_line(given: FromClause) -> tuple[ColumnElement[bool], ...]:
    after = tuple_(SIGNUPS.network_key, SIGNUPS.id) > tuple_(given.c.network_key, given.c.after)
    return after, SIGNUPS.network_key <= given.c.network_key


RECEIVED_SIGNUPS = SignupQueue(
    condition=RECEIVED,
    order=(SIGNUPS.network_key, SIGNUPS.id),
    line_of=_received_line,
    also=(
        SIGNUPS.received_at <= bindparam("now", type_=UtcDateTime()),
        SIGNUPS.received_at > bindparam("oldest", type_=UtcDateTime()),
    ),
)


class WaitingRequests(NamedTuple):
    """Whether anything that visitors asked for waits for a worker."""

    signups: bool
    address_changes: bool


def waiting(session: Session) -> WaitingRequests:
    """Return whether any sign-up is received and any change of address unanswered: one look into both indexes.

    Idle workers ask for it every other second, so both are in one statement.
    """
    change = select(AddressChange.id).where(UNANSWERED).order_by(AddressChange.id).limit(1)
    signup, changed = session.execute(
        select(_first(RECEIVED_SIGNUPS).scalar_subquery(), change.scalar_subquery())
    ).one()
    return WaitingRequests(signup is not None, changed is not None)


def claim(session: Session, *, limit: int, after: str | None, now: datetime) -> Sequence[SignupRow]:
    """Lock and return at most `limit` received sign-ups that no other transaction has locked, in turns.

    First comes the oldest of each network, then the second of each, and so on; networks after `after`, the network of
    the row served last, come first. Sign-ups older than 72 hours are left to retention: their link would have expired.
    """
    parameters = {"now": now, "oldest": now - LINK_LIFETIME}
    with in_index_order(session):
        return _claim(session, limit, after, parameters)


def _claim(session: Session, limit: int, after: str | None, parameters: Mapping[str, Any]) -> Sequence[SignupRow]:
    waiting = networks(session, RECEIVED_SIGNUPS, limit=limit, after=after)
    lines: dict[str, list[SignupRow]] = {network: [] for network in waiting}
    while waiting and (missing := limit - sum(map(len, lines.values()))) > 0:
        each = -(-missing // len(waiting))
        last = {network: lines[network][-1].id if lines[network] else NO_ID for network in waiting}
        taken: Counter[str] = Counter()
        for row in take(session, RECEIVED_SIGNUPS, last, each=each, parameters=parameters):
            lines[row.network_key].append(row)
            taken[row.network_key] += 1
        waiting = [network for network in waiting if taken[network] == each]  # they may have more
    return in_turns(list(lines.values()))[:limit]


@contextmanager
def in_index_order(session: Session) -> Iterator[None]:
    """Let PostgreSQL read the queues in the order of their indexes during the block, and no other way."""
    if is_on_sqlite(session):
        yield
        return
    session.execute(select(*(func.set_config(setting, "off", True) for setting in _INDEX_ORDER)))
    yield
    session.execute(select(*(func.set_config(setting, null(), True) for setting in _INDEX_ORDER)))  # NULL: the default


def is_any(session: Session, queue: SignupQueue) -> bool:
    """Return whether the queue holds any sign-up: one look into its index."""
    return session.scalar(_first(queue)) is not None


def _first(queue: SignupQueue) -> Select[int]:
    return select(Signup.id).where(queue.condition).order_by(*queue.order).limit(1)


def in_turns(lines: Sequence[Sequence[SignupRow]]) -> list[SignupRow]:
    """Return the first row of each line, then the second of each, and so on."""
    longest = max(map(len, lines), default=0)
    return [line[position] for position in range(longest) for line in lines if position < len(line)]


def networks(session: Session, queue: SignupQueue, *, limit: int, after: str | None) -> list[str]:
    """Return at most `limit` networks that have sign-ups in the queue, beginning after one and going round."""
    found = [] if after is None else _scan(session, queue, {"after": after, "limit": limit}, is_first=False)
    if len(found) < limit:
        found += _scan(session, queue, {"after": "", "limit": limit - len(found)}, is_first=True)
    return list(dict.fromkeys(found))


def take(
    session: Session, queue: SignupQueue, after: Mapping[str, int], *, each: int, parameters: Mapping[str, Any]
) -> Sequence[SignupRow]:
    """Lock and return the first `each` sign-ups of each of these networks, by network the ones after an id."""
    on_sqlite = is_on_sqlite(session)
    given = bulk_rows.encode({"network_key": network, "after": last} for network, last in after.items())
    statement = _taking(queue, on_sqlite=on_sqlite)
    return session.execute(statement, {"networks": given, "each": each, **parameters}).all()


def _scan(session: Session, queue: SignupQueue, parameters: Mapping[str, Any], *, is_first: bool) -> list[str]:
    return list(session.scalars(_scanning(queue, is_first=is_first), parameters))


@cache
def _scanning(queue: SignupQueue, *, is_first: bool) -> Select[str]:
    """Return a recursive statement that finds each next network by one look into the index."""
    key, following = SIGNUPS.network_key, aliased(Signup.__table__).c.network_key
    after = bindparam("after", type_=String())
    first = select(key).where(queue.condition, key >= after if is_first else key > after).order_by(key).limit(1)
    found = select(first.scalar_subquery().label("network_key"), literal(1).label("number")).cte("found", True)
    later = select(following).where(queue.condition, following > found.c.network_key).order_by(following).limit(1)
    recursion = select(later.scalar_subquery(), found.c.number + 1).where(
        found.c.network_key.is_not(None), found.c.number < bindparam("limit", type_=Integer())
    )
    every = found.union_all(recursion)
    return select(every.c.network_key).where(every.c.network_key.is_not(None)).order_by(every.c.number)


@cache
def _taking(queue: SignupQueue, *, on_sqlite: bool) -> Select[*tuple[Any, ...]]:
    given = bulk_rows.table_of("networks", {"network_key": String(), "after": ID_TYPE}, on_sqlite=on_sqlite)
    line = (
        select(*SIGNUPS)
        .where(queue.condition, *queue.line_of(given), *queue.also)
        .order_by(*queue.order)
        .limit(bindparam("each", type_=Integer()))
    )
    if on_sqlite:
        signup = aliased(Signup.__table__)
        of_line = line.with_only_columns(SIGNUPS.id).correlate(given).scalar_subquery()
        return select(*signup.c).select_from(given).join(signup, signup.c.id.in_(of_line))
    locked = line.with_for_update(skip_locked=True).lateral("line")
    return select(*locked.c).select_from(given).join(locked, true())
