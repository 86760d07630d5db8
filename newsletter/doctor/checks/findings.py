"""The findings and remarks of doctor: what is wrong, where, and how to correct it."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Select, func
from sqlalchemy.orm import Session

MAX_FINDINGS = 100  # of one check; one more finding counts the rest


class Check(StrEnum):
    """The check that made a finding. The names are stable: scripts and alerts may rely on them."""

    KEYS = "keys"  # the secret keys against those that the database was used with
    TRIGGERS = "triggers"  # those that keep tables append-only
    SUMS = "sums"  # the audience of a letter against its deliveries
    ISSUES = "issues"  # the status of an issue against its deliveries
    MOVES = "moves"  # the issues that readers who moved to another address should have got
    STATES = "states"  # the columns of a delivery against each other
    DEAD_CLAIMS = "dead-claims"  # letters claimed by workers that stopped
    ORPHANS = "orphans"  # rows that refer to a missing row
    VARIANTS = "variants"  # the stored text of a letter
    STANDING = "standing"  # subscriptions against the ledger
    SUPPRESSED = "suppressed"  # the marks of subscribers against the suppressions
    SIGNUPS = "signups"  # sign-ups against letters and ledger
    LEDGER = "ledger"  # the ledger and its evidence against their hashes


class Finding(NamedTuple):
    """One thing that is wrong. It names rows by id and never holds an address. Its fields are JSON keys."""

    check: Check
    about: str
    says: str
    fixable: bool = False  # whether `newsletter doctor --fix` repairs it
    remedy: str = ""  # what an operator can do if it is not fixable


class Remark(NamedTuple):
    """Something that an operator should know although it is not wrong. Its fields are JSON keys."""

    name: str
    about: str
    says: str


def findings_of(session: Session, query: Select[*tuple[Any, ...]], make: Callable[..., Finding]) -> Iterator[Finding]:
    """Yield what `make` returns for each row of a query, at most MAX_FINDINGS; one more finding counts the rest."""
    rows = session.execute(query.add_columns(func.count().over()).limit(MAX_FINDINGS)).all()
    for *row, _ in rows:
        yield make(*row)
    if rows and (more := rows[-1][-1] - len(rows)):
        yield make(*rows[-1][:-1])._replace(about="elsewhere", says=f"{more:,} more like these")
