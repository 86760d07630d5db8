"""`decisions.refuse` holds for every spelling of the inbox, each with its own entries in the ledger."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.decisions import decisions
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.limits import inboxes
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing, Subscriber
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.doctor.checks import suppressed
from newsletter.newsletters import Newsletter
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup
from tests.clock import NOON

ANA, TAGGED = "ana@example.org", "ana+x@example.org"


def spelled(session: Session, newsletter: Newsletter, address: str, **columns: object) -> Subscriber:
    """A reader whose inbox is known."""
    reader = a_reader(session, newsletter, address, **columns)
    reader.fold_key = inboxes.folds(KEYRING, reader.address_key)[0]
    session.flush()
    return reader


def asked(session: Session, newsletter: Newsletter, address: str = ANA) -> Signup:
    """A sign-up whose confirmation letter was sent."""
    spelled(session, newsletter, address, standing=Standing.ASKED)
    return a_signup(session, newsletter, address, state=SignupState.ASKED)


def refuse(session: Session, signup: Signup) -> None:
    decisions.refuse(session, KEYRING, signup, trace=None, now=NOON + timedelta(hours=1))


def test_refusing_ends_the_subscriptions_of_every_spelling_each_in_the_ledger(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        signup = asked(session, first)
        tagged, other = spelled(session, second, TAGGED), spelled(session, first, "anna@example.org")
        refuse(session, signup)
        session.expire_all()
        assert (tagged.suppressed, other.suppressed) == (Reason.NEVER, None)
        assert subscribers.subscriptions(session, tagged.id)[second.id].standing is Standing.LEFT
        assert subscribers.subscriptions(session, other.id)[first.id].standing is Standing.SUBSCRIBED
        history = ledger.history(session, tagged.subject)
        assert [entry.event for entry in history][-2:] == [Event.WITHDRAWN, Event.REFUSED]
        evidence = json.loads(session.get_one(Evidence, history[-1].id).body)
        assert evidence == {
            "address": TAGGED,
            "how": "link in the confirmation letter to another spelling of the inbox",
        }
        assert list(suppressed.suppressed(session, KEYRING)) == []


def test_a_letter_that_was_allowed_before_lifts_nothing_after_the_person_has_said_never_again(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = asked(session, newsletter)
        before = a_signup(session, newsletter, ANA, state=SignupState.ASKED, lifts_suppression=True)
        refuse(session, signup)
        assert before.lifts_suppression is None


def test_two_spellings_that_refuse_at_once_never_wait_for_each_other(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        numbers = [asked(session, newsletter, f"ana+{number}@example.org").id for number in range(4)]

    def say_never(number: int) -> None:
        with begin() as session:
            refuse(session, session.get_one(Signup, number, with_for_update=True))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(say_never, numbers))
    with reading() as session:
        refused = session.scalars(select(LedgerEntry).where(LedgerEntry.event == Event.REFUSED)).all()
        assert len({entry.subject for entry in refused}) == len(refused) == 4
        assert set(session.scalars(select(Subscriber.suppressed))) == {Reason.NEVER}
