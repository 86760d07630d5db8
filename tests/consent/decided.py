"""Decisions of a person named Ana, and what the database then says, for the tests of consent."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.decisions import decisions
from newsletter.consent.ledger.ledger import Event, LedgerEntry, Trace
from newsletter.consent.signups import confirmation_links
from newsletter.consent.signups.confirmation_links import LinkUse
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import Check
from newsletter.newsletters import Newsletter
from tests.builders import KEYRING, a_reader, a_signup
from tests.clock import NOON

TRACE = Trace("192.0.2.1", "Test/1.0")
LATER = NOON + timedelta(hours=1)
ANA = "ana@example.org"


def an_asked_signup(session: Session, newsletter: Newsletter, address: str = ANA, **changes: object) -> Signup:
    """A sign-up whose confirmation letter was sent."""
    reader = subscribers.lock_by_key(session, address)
    if reader is None or newsletter.id not in subscribers.subscriptions(session, reader.id):
        a_reader(session, newsletter, address, standing=Standing.ASKED)
    return a_signup(session, newsletter, address, state=SignupState.ASKED, **changes)


def confirm(session: Session, signup: Signup, *, now: datetime = LATER) -> LinkUse:
    """Press the button on the page of the sign-up's link."""
    return confirm_by(session, (signup.id, signup.nonce), now=now)


def confirm_by(session: Session, ids: tuple[int, int], *, now: datetime = LATER) -> LinkUse:
    """Press the button on the page of this link."""
    link = confirmation_links.find(session, ids, lock=True)
    return confirmation_links.confirm(session, KEYRING, link, evidence={"method": "button"}, trace=TRACE, now=now)


def withdraw(
    session: Session, reader: Subscriber, newsletters: Collection[int] | None = None, *, now: datetime = LATER
) -> list[int]:
    """Leave these newsletters, or all."""
    return decisions.withdraw(session, reader, newsletters=newsletters, how="button", trace=TRACE, now=now)


def refuse(session: Session, signup: Signup) -> None:
    """Ask never to be written to."""
    decisions.refuse(session, KEYRING, signup, trace=TRACE, now=LATER)


def events(session: Session) -> list[Event]:
    """Return all events, oldest first. These tests write no letters, so the doctor finds sign-ups without one."""
    assert not [finding for finding in examination.examine(session) if finding.check is not Check.SIGNUPS]
    return list(session.scalars(select(LedgerEntry.event).order_by(LedgerEntry.id)))


def ana(session: Session) -> Subscriber:
    """Return Ana's row, as it is in the database."""
    mine = select(Subscriber).where(Subscriber.address_key == ANA)
    return session.scalars(mine.execution_options(populate_existing=True)).one()


def standing(session: Session) -> list[Standing]:
    """Return Ana's standings, by newsletter."""
    session.expire_all()  # decisions are statements, which objects of a session do not follow
    subscriptions = subscribers.subscriptions(session, ana(session).id)
    return [subscriptions[newsletter_id].standing for newsletter_id in sorted(subscriptions)]
