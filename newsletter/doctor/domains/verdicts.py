"""Verdicts: what a check of a domain came to, in words, with the record as it is and as it should be."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad it is. What could not be asked is not missing."""

    OK = "ok"
    ADVICE = "advice"
    UNKNOWN = "unknown"
    WRONG = "wrong"


class Verdict(NamedTuple):
    """One thing about one domain, or about one received letter."""

    level: Level
    check: str  # stable: spf, spf-relay, dkim, dmarc, alignment, mx, ptr, addresses, ...
    about: str
    says: str
    found: str | None = None  # the record as the DNS has it
    publish: str | None = None  # the record that would do


def ok(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Nothing to do."""
    return Verdict(Level.OK, check, about, says, **records)


def advice(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """It works, and could be better."""
    return Verdict(Level.ADVICE, check, about, says, **records)


def unknown(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """It cannot be told from here."""
    return Verdict(Level.UNKNOWN, check, about, says, **records)


def wrong(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Letters are refused, or go to spam, for it."""
    return Verdict(Level.WRONG, check, about, says, **records)
