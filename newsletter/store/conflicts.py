"""Repeat what PostgreSQL ended because two transactions waited for each other in a circle, or could not both be true.

Transactions lock rows in one order (DECISIONS.md, 40), so this is rare. Where it happens, one of the two has gone
through, and the other one, repeated with what is stored now, does too. Each edge says what an act is (a request, a job,
a command). One of which something is committed is repeated only if it is a job, which does nothing twice.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from newsletter.store.database_errors import is_conflict

MAX_ATTEMPTS = 6
PAUSE_SECONDS = 0.05  # before the second attempt at most; before each further one that much more

T = TypeVar("T")


class Attempt:
    """One attempt at an act, in all threads that take part in it."""

    def __init__(self) -> None:
        self.has_committed = False

    def may_be_repeated(self, error: Exception, number: int) -> bool:
        """Return whether attempt `number` failed by a conflict, left nothing behind and was not the last one."""
        return number < MAX_ATTEMPTS and not self.has_committed and is_conflict(error)


_present: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempt() -> Iterator[Attempt]:
    """Watch the transactions that begin in this context, and in the threads to which it is copied."""
    present = Attempt()
    token = _present.set(present)
    try:
        yield present
    finally:
        _present.reset(token)
        if present.has_committed:
            note_commit()  # of the act that this one is part of


def note_commit() -> None:
    """Note that a transaction of the present act is committed."""
    if present := _present.get():
        present.has_committed = True


def pause(number: int) -> float:
    """Return how many seconds to wait after attempt `number`: not all the same, or the two would meet again."""
    return random.uniform(0, PAUSE_SECONDS * number)  # noqa: S311 - nobody gains by guessing it


def repeat(act: Callable[[], T], *, after_commits: bool = False) -> T:
    """Do an act and return what it returns; again after each conflict, at most `MAX_ATTEMPTS` times in all.

    `after_commits`: also an act of which something is committed, because what is done already is not done again.
    """
    number = 1
    while True:
        with attempt() as present:
            try:
                return act()
            except Exception as error:
                present.has_committed &= not after_commits
                if not present.may_be_repeated(error, number):
                    raise
        time.sleep(pause(number))
        number += 1
