"""Findings: what is wrong, where, and what can be done about it."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Select, func
from sqlalchemy.orm import Session

MOST = 100  # places that one check names; how many more there are is said in one line


class Check(StrEnum):
    """What a finding is about. The names are stable: scripts and alerts may rely on them."""

    TRIGGERS = "triggers"  # the database's own guard over what is append-only
    SUMS = "sums"  # a letter's audience against its deliveries
    ISSUES = "issues"  # what an issue is called against its deliveries
    STATES = "states"  # what a delivery says against itself
    DEAD_CLAIMS = "dead-claims"  # letters in the hands of nobody who lives
    ORPHANS = "orphans"  # rows whose owner is gone
    VARIANTS = "variants"  # a letter's stored words
    STANDING = "standing"  # subscriptions against the ledger
    SUPPRESSED = "suppressed"  # subscribers' marks against the suppressions
    SIGNUPS = "signups"  # sign-ups against letters and ledger
    LEDGER = "ledger"  # the ledger and its evidence against their hashes


class Finding(NamedTuple):
    """One thing that is wrong. It names rows by number and nobody by address."""

    check: Check
    about: str
    says: str
    fixable: bool = False  # whether `newsletter doctor --fix` mends it
    remedy: str = ""  # what an operator can do where it is not mended so


class Remark(NamedTuple):
    """Something to know that is not wrong by itself."""

    name: str
    about: str
    says: str


def listed(session: Session, rows: Select[*tuple[Any, ...]], finding: Callable[..., Finding]) -> Iterator[Finding]:
    """A finding for each row, at most a hundred of them: a million broken rows are one trouble, and not as many."""
    found = session.execute(rows.add_columns(func.count().over()).limit(MOST)).all()
    for *row, _ in found:
        yield finding(*row)
    if found and (more := found[-1][-1] - len(found)):
        yield finding(*found[-1][:-1])._replace(about="elsewhere", says=f"{more:,} more are like these")
