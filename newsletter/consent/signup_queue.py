"""The queue of sign-ups: networks take turns, so that a flood from one delays no visitor from elsewhere.

A claim costs the same whatever the length of the queue: it jumps from network to network in a partial index (a loose
index scan) and reads only the first rows of each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    TextClause,
    bindparam,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from newsletter.consent.signups import LINK_LIFETIME, RECEIVED, Signup
from newsletter.store import bulk_rows
from newsletter.store.database import ID_TYPE, UtcDateTime

NO_ID = 0  # before every row's

_PLANNER_SETTINGS = select(*(func.set_config(each, "off", True) for each in ("enable_seqscan", "enable_bitmapscan")))

SignupRow = Row[Any]  # the columns of a sign-up, by name


@dataclass(frozen=True)
class SignupQueue:
    """Sign-ups that wait, as one partial index on their networks holds them."""

    condition: TextClause  # of the index
    order: tuple[ColumnElement[Any], ...]  # of the sign-ups of a network, as in the index
    also: tuple[ColumnElement[bool], ...]  # further conditions; rows that do not meet them must be few


RECEIVED_SIGNUPS = SignupQueue(
    condition=RECEIVED,
    order=(Signup.__table__.c.id,),
    also=(
        Signup.__table__.c.received_at <= bindparam("now", type_=UtcDateTime()),
        Signup.__table__.c.received_at > bindparam("oldest", type_=UtcDateTime()),
    ),
)


def is_waiting(session: Session) -> bool:
    """Return whether any sign-up is received: one look into the index."""
    return session.scalar(select(Signup.id).where(RECEIVED).limit(1)) is not None


def claim(session: Session, *, limit: int, after: str | None, now: datetime) -> Sequence[SignupRow]:
    """Lock and return at most `limit` received sign-ups that no other transaction has locked, in turns.

    First comes the oldest of each network, then the second of each, and so on; networks after `after`, the network of
    the row served last, come first. Sign-ups older than 72 hours are left to retention: their link would have expired.
    """
    parameters = {"now": now, "oldest": now - LINK_LIFETIME}
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


def in_turns(lines: Sequence[Sequence[SignupRow]]) -> list[SignupRow]:
    """Return the first row of each line, then the second of each, and so on."""
    longest = max(map(len, lines), default=0)
    return [line[position] for position in range(longest) for line in lines if position < len(line)]


def use_indexes(session: Session) -> None:
    """Make PostgreSQL follow indexes for the rest of the transaction, also to check foreign keys.

    If its statistics are older than a flood, it expects few rows, and would read and sort a whole line for each claim.
    And a connection keeps the plans of foreign keys. Made while a table was small, they would read all of it for each
    row until the next ANALYZE.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(_PLANNER_SETTINGS)


def networks(session: Session, queue: SignupQueue, *, limit: int, after: str | None) -> list[str]:
    """Return at most `limit` networks that have sign-ups in the queue, beginning after one and going round."""
    use_indexes(session)
    found = [] if after is None else _scan(session, queue, {"after": after, "limit": limit}, is_first=False)
    if len(found) < limit:
        found += _scan(session, queue, {"after": "", "limit": limit - len(found)}, is_first=True)
    return list(dict.fromkeys(found))


def take(
    session: Session, queue: SignupQueue, after: Mapping[str, int], *, each: int, parameters: Mapping[str, Any]
) -> Sequence[SignupRow]:
    """Lock and return the first `each` sign-ups of each of these networks, by network the ones after an id."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    given = bulk_rows.encode({"network_key": network, "after": last} for network, last in after.items())
    statement = _taking(queue, on_sqlite=on_sqlite)
    return session.execute(statement, {"networks": given, "each": each, **parameters}).all()


def _scan(session: Session, queue: SignupQueue, parameters: Mapping[str, Any], *, is_first: bool) -> list[str]:
    return list(session.scalars(_scanning(queue, is_first=is_first), parameters))


@cache
def _scanning(queue: SignupQueue, *, is_first: bool) -> Select[str]:
    """Return a recursive statement that finds each next network by one look into the index."""
    key, following = Signup.__table__.c.network_key, aliased(Signup.__table__).c.network_key
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
    columns = Signup.__table__.c
    given = bulk_rows.table_of("networks", {"network_key": String(), "after": ID_TYPE}, on_sqlite=on_sqlite)
    line = (
        select(*columns)
        .where(queue.condition, columns.network_key == given.c.network_key, columns.id > given.c.after, *queue.also)
        .order_by(*queue.order)
        .limit(bindparam("each", type_=Integer()))
    )
    if on_sqlite:
        signup = aliased(Signup.__table__)
        of_line = line.with_only_columns(columns.id).correlate(given).scalar_subquery()
        return select(*signup.c).select_from(given).join(signup, signup.c.id.in_(of_line))
    locked = line.with_for_update(skip_locked=True).lateral("line")
    return select(*locked.c).select_from(given).join(locked, true())
