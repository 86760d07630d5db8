"""Run all checks of `newsletter doctor`. They only read; each contradiction in the stored data is a finding."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.doctor.checks import consent, languages, letters, orphans, remarks, suppressed
from newsletter.doctor.checks.findings import Check, Finding, Remark
from newsletter.keys import Keyring
from newsletter.store import triggers
from newsletter.store.database import is_on_sqlite

CHECKS = (
    letters.sums,
    letters.issues,
    letters.moves,
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

WORK_MEMORY = "128MB"  # PostgreSQL's memory for a sort or a hash: enough for a million subscribers


def examine(session: Session, *, keyring: Keyring | None = None) -> list[Finding]:
    """Return everything that is wrong in one consistent state of the database; an empty list if it is sound.

    Comparing subscribers with the suppressions needs the keyring. One state does not show which workers have
    stopped: see `checks.expired_leases`.
    """
    _lift_limits(session)
    findings = [*_triggers(session), *(finding for check in CHECKS for finding in check(session))]
    return findings + (list(suppressed.suppressed(session, keyring)) if keyring else [])


def collect_remarks(
    session: Session, *, now: datetime, is_public: bool = True, desk_problem: str | None = None
) -> list[Remark]:
    """Return what an operator should know although it is not wrong.

    `is_public`: others can reach the site. `desk_problem`: why the desk cannot be opened.
    """
    return [
        *remarks.in_doubt(session),
        *remarks.suspects(session),
        *remarks.unanswered(session),
        *remarks.relays(session, now=now),
        *remarks.expired_drafts(session, now=now),
        *languages.words(session),
        *(remarks.undeclared_proxy(session) if is_public else ()),
        *remarks.desk_closed(session, desk_problem),
    ]


def _lift_limits(session: Session) -> None:
    """Lift PostgreSQL's limits for web requests: they would abort a count of millions, or sort it on disk."""
    if not is_on_sqlite(session):
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(f"SET LOCAL work_mem = '{WORK_MEMORY}'"))


def _triggers(session: Session) -> Iterator[Finding]:
    for name in sorted(triggers.missing(session.connection())):
        yield Finding(Check.TRIGGERS, "database", f"the trigger {name} is missing", fixable=True)
