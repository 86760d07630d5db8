"""Answer sign-ups as a worker does, and read the letters that it owes."""

from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from jinja2 import Environment
from sqlalchemy import func, select

from newsletter import templating
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.consent.signups import signup_queue
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.links import Links
from newsletter.mail.delivery import claims
from newsletter.mail.delivery.assembly import Assembler
from newsletter.mail.letters.letters import Letter, Variant
from newsletter.mail.mailings.confirmations import processing
from newsletter.mail.mailings.confirmations.answering import Answering
from newsletter.store.database import Base, Begin
from tests.builders import KEYRING, a_worker
from tests.clock import NOON

TEMPLATES = templating.environment
BASE = "https://letters.example.org"
NO_LIMITS = LetterLimits(10**6, 10**6, 10**6, 10**6)


def answering(**changes: Any) -> Answering:
    """Return what answers need, with limits that nothing reaches."""
    values = {"templates": TEMPLATES, "keyring": KEYRING, "base_url": BASE, "limits": NO_LIMITS, **changes}
    return Answering(**values)


def process(
    begin: Begin,
    *,
    templates: Environment = TEMPLATES,
    limits: LetterLimits = NO_LIMITS,
    now: datetime = NOON,
    limit: int = processing.SET_SIZE,
) -> int:
    """Answer one set of received sign-ups; return how many were claimed."""

    def claim(session: Any) -> processing.Signups:
        return signup_queue.claim(session, limit=limit, after="", now=now)

    answers = answering(templates=templates, limits=limits)
    return len(processing.process(begin, claim, answers, clock=lambda: now))


def states(begin: Begin) -> list[SignupState]:
    """Return the state of each sign-up, the oldest first."""
    with begin() as session:
        return list(session.scalars(select(Signup.state).order_by(Signup.id)))


def count(begin: Begin, table: type[Base]) -> int:
    """Return the number of a table's rows."""
    with begin() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def letters_owed(begin: Begin) -> int:
    """Return the number of letters to sign-ups."""
    with begin() as session:
        return session.scalars(select(func.count()).where(Letter.signup_id.is_not(None))).one()


def confirmations_sent(begin: Begin, *, now: datetime = NOON) -> list[bytes]:
    """Claim the queued letters and return them as their readers would get them."""
    assembler = Assembler(Links(KEYRING, BASE), KEYRING)
    with begin() as session:
        claimed = claims.claim(session, a_worker(session), limit=500, urgent=True, key="k1", now=now)
        return [
            b"".join(assembler.assemble(each, session.get_one(Variant, each.variant), begin_by=0).body)
            for each in claimed
        ]


def parsed(source: bytes) -> EmailMessage:
    """Return a letter as a mail program reads it."""
    return message_from_bytes(source, policy=policy.default)
