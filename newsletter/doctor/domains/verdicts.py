"""The verdicts on a domain: a level, a sentence, the record found and the record to publish."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """The severity of a verdict. A failed lookup is unknown, never wrong."""

    OK = "ok"
    ADVICE = "advice"
    UNKNOWN = "unknown"
    WRONG = "wrong"


class Verdict(NamedTuple):
    """The result of one check of a domain or of a received letter. Its fields are JSON keys."""

    level: Level
    check: str  # stable: spf, spf-relay, dkim, dmarc, alignment, mx, ptr, addresses, ...
    about: str
    says: str
    found: str | None = None  # the record in the DNS
    publish: str | None = None  # the record to publish


def ok(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Return a verdict that all is well."""
    return Verdict(Level.OK, check, about, says, **records)


def advice(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Return a verdict that it works, but could be better."""
    return Verdict(Level.ADVICE, check, about, says, **records)


def unknown(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Return a verdict that the answer is not known."""
    return Verdict(Level.UNKNOWN, check, about, says, **records)


def wrong(check: str, about: str, says: str, **records: str | None) -> Verdict:
    """Return a verdict that receivers may refuse letters, or treat them as spam."""
    return Verdict(Level.WRONG, check, about, says, **records)
