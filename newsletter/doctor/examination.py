"""Doctor: proves that the books agree, and names each place where they do not. It reads only."""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.doctor.checks import consent, letters, orphans, remarks, suppressed
from newsletter.doctor.checks.findings import Check, Finding, Remark
from newsletter.keys import Keyring
from newsletter.store import triggers

CHECKS = (
    letters.sums,
    letters.issues,
    letters.states,
    letters.claims,
    letters.variants,
    orphans.orphans,
    consent.standing,
    consent.signups,
    consent.ordinals,
    consent.entries,
    consent.evidence,
)

ROOM = "128MB"  # of PostgreSQL's memory for a sort or a hash, so that a million subscribers fit


def examine(session: Session, *, keyring: Keyring | None = None) -> list[Finding]:
    """Everything that is found wrong in one state of the books; nothing if the service is sound.

    Only with the keys can it be told whether subscribers are marked as the suppressions say. Claims of dead carriers
    take more than one look: `checks.silence`.
    """
    _take_time(session)
    found = [*_triggers(session), *(finding for check in CHECKS for finding in check(session))]
    return found + (list(suppressed.suppressed(session, keyring)) if keyring else [])


def remark(session: Session) -> list[Remark]:
    """What is not wrong by itself, but good to know."""
    return [*remarks.in_doubt(session), *remarks.suspects(session), *remarks.unanswered(session)]


def _take_time(session: Session) -> None:
    """Nobody waits for a reader: the limits made for visitors would end a count of millions, or put it on the disk."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(f"SET LOCAL work_mem = '{ROOM}'"))


def _triggers(session: Session) -> Iterator[Finding]:
    for name in sorted(triggers.missing(session.connection())):
        yield Finding(Check.TRIGGERS, "database", f"the trigger {name} is missing", fixable=True)
