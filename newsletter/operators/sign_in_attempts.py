"""Limit the attempts to sign in. An attempt is counted before anything is computed, so that two processes agree.

A device on which somebody has signed in before has a limit of its own. So whoever tries passwords for an account, from
however many networks, does not lock its owner out; on a new device, the link of a new password opens the way.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from newsletter.errors import Refused
from newsletter.operators.sign_in_failures import SignInFailures
from newsletter.store.database import is_on_sqlite

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AttemptLimit(NamedTuple):
    """How many attempts a key has in a period. A key is a MAC with a kind before it."""

    key: str
    most: int
    period: timedelta
    is_own: bool = False  # of one account on one device: a success clears it

    def since(self, now: datetime) -> datetime:
        """Return when the present period began."""
        return now - (now - EPOCH) % self.period


class TooManyAttempts(Refused):
    """A limit is reached until `until`."""

    def __init__(self, until: datetime, *, now: datetime) -> None:
        self.seconds = max(1, math.ceil((until - now).total_seconds()))
        minutes = math.ceil(self.seconds / 60)
        wait = "in a minute" if minutes == 1 else f"in {minutes} minutes"
        super().__init__(f"That was too often. Please try again {wait}; until then no password is tried.")


def check(session: Session, limits: Sequence[AttemptLimit], *, now: datetime) -> None:
    """Raise TooManyAttempts if no attempt is left. It only reads."""
    keys = [(each.key, each.since(now)) for each in limits]
    counted = tuple_(SignInFailures.key, SignInFailures.since).in_(keys)
    rows = session.execute(select(SignInFailures.key, SignInFailures.n).where(counted))
    n = {row.key: row.n for row in rows}
    reached = [each for each in limits if n.get(each.key, 0) >= each.most]
    if reached:
        raise TooManyAttempts(max(each.since(now) + each.period for each in reached), now=now)


def count(session: Session, limits: Sequence[AttemptLimit], *, now: datetime) -> None:
    """Count an attempt; raises TooManyAttempts if none is left, and the caller's rollback then counts nothing."""
    insert = (sqlite if is_on_sqlite(session) else postgresql).insert(SignInFailures)
    for each in sorted(limits):  # always in the same order, so that two attempts never wait for each other
        counted = insert.values(key=each.key, since=each.since(now), n=1).on_conflict_do_update(
            index_elements=[SignInFailures.key, SignInFailures.since],
            set_={"n": SignInFailures.n + 1},
            where=SignInFailures.n < each.most,
        )
        if session.scalar(counted.returning(SignInFailures.n)) is None:
            raise TooManyAttempts(each.since(now) + each.period, now=now)


def forgive(session: Session, limits: Sequence[AttemptLimit], *, now: datetime) -> None:
    """Take back an attempt that succeeded; the limits of this account on this device begin anew."""
    for each in sorted(limits):
        if each.is_own:
            session.execute(delete(SignInFailures).where(SignInFailures.key == each.key))
        else:
            same = SignInFailures.key == each.key, SignInFailures.since == each.since(now), SignInFailures.n > 0
            session.execute(update(SignInFailures).where(*same).values(n=SignInFailures.n - 1))
