"""Consent: the ledger against its hashes, and what is derived from it against the ledger."""

import hmac
from collections.abc import Iterator

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.consent import ledger_hashes, standings
from newsletter.consent.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.doctor.checks.findings import Check, Finding, listed
from newsletter.mail.letters.letters import Letter

BACKUP = "Compare with a backup: the ledger is never changed, neither by --fix nor by anybody."
CHUNK = 1000  # rows in memory at a time


def standing(session: Session) -> Iterator[Finding]:
    """The derived subscriptions are what the ledger comes to."""
    return listed(session, standings.differing(), _differs)


def _differs(subscriber: int, newsletter: int, shown: Standing | None, told: Standing | None) -> Finding:
    about = f"subscriber {subscriber}, newsletter {newsletter}"
    says = f"the subscription says {shown or 'nothing'}, the ledger {told or 'nothing'}"
    return Finding(Check.STANDING, about, says, fixable=True)


def signups(session: Session) -> Iterator[Finding]:
    """Whoever was asked has a letter, and whoever confirmed stands in the ledger."""
    unasked = ~exists().where(Letter.signup_id == Signup.id)
    yield from listed(session, select(Signup.id).where(Signup.state == SignupState.ASKED, unasked), _unasked)
    confirmed = (
        exists()
        .where(Subscriber.address_key == Signup.address_key)
        .where(LedgerEntry.subject == Subscriber.subject, LedgerEntry.event == Event.CONFIRMED)
    )
    yield from listed(session, select(Signup.id).where(Signup.state == SignupState.CONFIRMED, ~confirmed), _unconfirmed)


def _unasked(number: int) -> Finding:
    remedy = "It lapses 72 hours after it came; whoever still wants the newsletter can sign up again."
    return Finding(Check.SIGNUPS, f"sign-up {number}", "it counts as asked, but no letter asks for it", remedy=remedy)


def _unconfirmed(number: int) -> Finding:
    says = "it counts as confirmed, but the ledger knows of no confirmation"
    return Finding(Check.SIGNUPS, f"sign-up {number}", says, remedy=BACKUP)


def ordinals(session: Session) -> Iterator[Finding]:
    """Nothing was taken out of the ledger: a subject's facts are numbered 1, 2, 3."""
    first, found, last = func.min(LedgerEntry.id), func.count(), func.max(LedgerEntry.ordinal)
    gaps = select(first, found, last).group_by(LedgerEntry.subject).having(found != last).order_by(first)
    return listed(session, gaps, _gap)


def _gap(number: int, left: int, last: int) -> Finding:
    says = f"of the {last} facts about its subject {left} are left"
    return Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)


def entries(session: Session) -> Iterator[Finding]:
    """Every ledger entry still has the leaf hash that it was written with."""
    for number in ledger_hashes.changed(session):
        says = "it was changed after it was written: its leaf does not fit"
        yield Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)


def evidence(session: Session) -> Iterator[Finding]:
    """What evidence is kept is the evidence that was given."""
    kept = select(Evidence.entry_id, Evidence.salt, Evidence.body, LedgerEntry.evidence_digest)
    joined = kept.join(LedgerEntry, LedgerEntry.id == Evidence.entry_id).order_by(LedgerEntry.id)
    for number, salt, body, digest in session.execute(joined.execution_options(yield_per=CHUNK)):
        if hmac.digest(salt, body, "sha256") != digest:
            says = "its evidence was changed: the entry's digest does not fit"
            yield Finding(Check.LEDGER, f"ledger entry {number}", says, remedy=BACKUP)
