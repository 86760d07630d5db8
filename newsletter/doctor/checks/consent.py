"""Check the ledger against its hashes, and the data derived from it against the ledger."""

import hmac
from collections.abc import Iterator

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger_hashes, standings
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.link_lifetime import LINK_HOURS
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.doctor.checks.findings import Check, Finding, findings_of
from newsletter.mail.letters.letters import Letter

BACKUP = "Compare with a backup: the ledger is append-only, so --fix never changes it."
CHUNK = 1000  # rows in memory at a time


def standing(session: Session) -> Iterator[Finding]:
    """Find subscriptions that differ from what the ledger says."""
    return findings_of(session, standings.differing(), _differs)


def _differs(subscriber: int, newsletter: int, stored: Standing | None, derived: Standing | None) -> Finding:
    about = f"subscriber {subscriber}, newsletter {newsletter}"
    says = f"the stored standing is {stored or 'missing'}, but the ledger says {derived or 'none'}"
    return Finding(Check.STANDING, about, says, fixable=True)


def signups(session: Session) -> Iterator[Finding]:
    """Find sign-ups marked asked without a letter, and sign-ups marked confirmed without a ledger entry."""
    without_letter = ~exists().where(Letter.signup_id == Signup.id)
    asked = select(Signup.id).where(Signup.state == SignupState.ASKED, without_letter)
    yield from findings_of(session, asked, _without_letter)
    in_ledger = (
        exists()
        .where(Subscriber.address_key == Signup.address_key)
        .where(LedgerEntry.subject == Subscriber.subject, LedgerEntry.event == Event.CONFIRMED)
    )
    confirmed = select(Signup.id).where(Signup.state == SignupState.CONFIRMED, ~in_ledger)
    yield from findings_of(session, confirmed, _without_confirmation)


def _without_letter(number: int) -> Finding:
    says = "it is marked asked, but it has no confirmation letter"
    remedy = f"It expires {LINK_HOURS} hours after the letter was due. The person can sign up again."
    return Finding(Check.SIGNUPS, f"sign-up {number}", says, remedy=remedy)


def _without_confirmation(number: int) -> Finding:
    says = "it is marked confirmed, but the ledger has no confirmation"
    return Finding(Check.SIGNUPS, f"sign-up {number}", says, remedy=BACKUP)


def ordinals(session: Session) -> Iterator[Finding]:
    """Find subjects with missing ledger entries: those of one subject are numbered 1, 2, 3 without a gap."""
    first, number, last = func.min(LedgerEntry.id), func.count(), func.max(LedgerEntry.ordinal)
    gaps = select(first, number, last).group_by(LedgerEntry.subject).having(number != last).order_by(first)
    return findings_of(session, gaps, _gap)


def _gap(number: int, left: int, last: int) -> Finding:
    says = f"entries about its subject that are left: {left} of {last}"
    return Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)


def entries(session: Session) -> Iterator[Finding]:
    """Find ledger entries that no longer match their hash."""
    for number in ledger_hashes.changed(session):
        says = "it was changed after it was written: its hash does not match"
        yield Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)


def evidence(session: Session) -> Iterator[Finding]:
    """Find evidence that no longer matches the hash in its ledger entry. Erased evidence is no finding."""
    kept = select(Evidence.entry_id, Evidence.salt, Evidence.body, LedgerEntry.evidence_digest)
    joined = kept.join(LedgerEntry, LedgerEntry.id == Evidence.entry_id).order_by(LedgerEntry.id)
    for number, salt, body, digest in session.execute(joined.execution_options(yield_per=CHUNK)):
        if hmac.digest(salt, body, "sha256") != digest:
            says = "its evidence was changed: the hash in the entry does not match"
            yield Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)
