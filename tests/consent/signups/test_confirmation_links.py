"""Confirm by the link of a letter: once, within 72 hours, and never by a link older than a withdrawal."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.signups import confirmation_links
from newsletter.consent.signups.confirmation_links import LinkUse
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.errors import LinkExpired
from newsletter.newsletters import Newsletter
from tests.builders import a_newsletter, a_reader, a_signup
from tests.clock import NOON
from tests.consent.decided import (
    ANA,
    LATER,
    TRACE,
    an_asked_signup,
    ana,
    confirm,
    confirm_by,
    events,
    standing,
    withdraw,
)


def test_confirming_counts_once(begin):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session), evidence={"name": "Ana", "timezone": "Europe/Berlin"})
        uses = [confirm(session, signup) for _ in range(3)]
        assert uses == [LinkUse.CONFIRMS, LinkUse.CONFIRMED, LinkUse.CONFIRMED]
        assert events(session) == [Event.REQUESTED, Event.CONFIRMED]
        assert standing(session) == [Standing.SUBSCRIBED]
        reader = ana(session)
        assert (reader.name, reader.language, reader.zone) == ("Ana", None, "Europe/Berlin")


def test_a_second_confirmation_keeps_details_that_it_does_not_give(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        confirm(session, an_asked_signup(session, first, evidence={"name": "Ana", "language": "de"}))
        confirm(session, an_asked_signup(session, second, evidence={"timezone": "Europe/Berlin"}))
        reader = ana(session)
        assert (reader.name, reader.language, reader.zone) == ("Ana", "de", "Europe/Berlin")


def test_a_confirmation_is_stored_with_its_evidence_and_trace(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        confirm(session, an_asked_signup(session, newsletter))
        entry = ledger.history(session, ana(session).subject)[-1]
        evidence = session.get_one(ledger.Evidence, entry.id)
        assert (entry.event, entry.newsletter_id, entry.at) == (Event.CONFIRMED, newsletter.id, LATER)
        assert entry.wording_id
        assert b'"method":"button"' in evidence.body
        assert b'"confirm_page":"' in evidence.body
        assert session.get_one(ledger.TraceRow, entry.id).ip == TRACE.ip


def test_confirming_a_sign_up_to_two_newsletters_subscribes_to_both(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        an_asked_signup(session, second)
        both = an_asked_signup(session, first, newsletters=[second.id, first.id])
        assert confirm(session, both) is LinkUse.CONFIRMS
        assert standing(session) == [Standing.SUBSCRIBED] * 2
        assert events(session).count(Event.CONFIRMED) == 2


def test_concurrent_confirmations_count_once(begin, reading):
    with begin() as session:
        number = an_asked_signup(session, a_newsletter(session)).id

    def attempt(_: int) -> bool:
        with begin() as session:
            return confirm_by(session, (number, nonce)) is LinkUse.CONFIRMS

    with reading() as session:
        nonce = session.get_one(Signup, number).nonce
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    with reading() as session:
        assert events(session) == [Event.REQUESTED, Event.CONFIRMED]


def test_a_confirmation_after_72_hours_or_without_a_subscriber_has_expired(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        late = an_asked_signup(session, newsletter)
        forgotten = a_signup(session, newsletter, "eve@example.org", state=SignupState.ASKED)
        assert confirm(session, late, now=NOON + timedelta(hours=72)) is LinkUse.EXPIRED
        assert confirm(session, forgotten) is LinkUse.EXPIRED
        assert events(session) == [Event.REQUESTED]


def test_a_late_confirmation_by_a_subscriber_is_no_error(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first, second = an_asked_signup(session, newsletter), an_asked_signup(session, newsletter)
        confirm(session, second)
        assert confirm(session, first, now=NOON + timedelta(hours=72)) is LinkUse.CONFIRMED
        assert events(session).count(Event.CONFIRMED) == 1


@pytest.mark.parametrize("state", [SignupState.RECEIVED, SignupState.QUIET, SignupState.FAILED, SignupState.REFUSED])
def test_only_a_sign_up_that_was_asked_can_be_confirmed(begin, state):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session))
        signup.state = state
        assert confirm(session, signup) is LinkUse.EXPIRED
        assert standing(session) == [Standing.ASKED]


def test_a_reader_who_left_can_confirm_a_new_sign_up_but_not_the_old_one(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first = an_asked_signup(session, newsletter)
        confirm(session, first)
        withdraw(session, ana(session), [newsletter.id])
        assert confirm(session, first) is LinkUse.WITHDRAWN
        assert confirm(session, ask_again(session, newsletter)) is LinkUse.CONFIRMS
        assert standing(session) == [Standing.SUBSCRIBED]


def ask_again(session: Session, newsletter: Newsletter) -> Signup:
    """Add a sign-up of a person who has left, and their request in the ledger, a minute after LATER."""
    subject, now = ana(session).subject, LATER + timedelta(minutes=1)
    ledger.append(session, subject, Event.REQUESTED, newsletter=newsletter, evidence={}, trace=None, now=now)
    subscribers.set_standing(session, ana(session).id, newsletter.id, Standing.ASKED, now=now)
    return an_asked_signup(session, newsletter, received_at=now)


def test_a_link_to_a_deleted_sign_up_or_with_another_nonce_has_expired(begin):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session))
        assert confirmation_links.find(session, (signup.id, signup.nonce)).signup.signup_id == signup.id
        for ids in ((signup.id, signup.nonce + 1), (signup.id + 1, signup.nonce)):
            for lock in (False, True):
                with pytest.raises(LinkExpired):
                    confirmation_links.find(session, ids, lock=lock)


def test_a_link_lives_for_72_hours_from_when_its_letter_was_owed(begin):
    with begin() as session:
        owed_at = NOON + timedelta(hours=20)
        signup = an_asked_signup(session, a_newsletter(session), asked_at=owed_at)
        link = confirmation_links.find(session, (signup.id, signup.nonce))
        assert link.use(now=owed_at + timedelta(hours=72, microseconds=-1)) is LinkUse.CONFIRMS
        assert link.use(now=owed_at + timedelta(hours=72)) is LinkUse.EXPIRED


def test_a_link_older_than_a_withdrawal_confirms_nothing(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup = an_asked_signup(session, newsletter)
        withdraw(session, ana(session))
        assert confirm(session, signup) is LinkUse.WITHDRAWN
        assert standing(session) == [Standing.LEFT]
        assert events(session) == [Event.REQUESTED, Event.WITHDRAWN]


def test_a_later_sign_up_does_not_revive_a_link_older_than_a_withdrawal(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first = an_asked_signup(session, newsletter)
        withdraw(session, ana(session))
        second = ask_again(session, newsletter)
        assert confirm(session, first) is LinkUse.WITHDRAWN
        assert standing(session) == [Standing.ASKED]
        assert confirm(session, second) is LinkUse.CONFIRMS
        assert confirm(session, first) is LinkUse.CONFIRMED, "the person is subscribed"
        assert events(session).count(Event.CONFIRMED) == 1


def test_a_letter_owed_after_a_withdrawal_confirms_although_its_form_was_sent_before(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, ANA)
        withdraw(session, reader, now=NOON + timedelta(minutes=1))
        asked_at = NOON + timedelta(minutes=2)
        subscribers.set_standing(session, reader.id, newsletter.id, Standing.ASKED, now=asked_at)
        signup = an_asked_signup(session, newsletter, received_at=NOON, asked_at=asked_at)
        assert confirm(session, signup) is LinkUse.CONFIRMS


def test_a_withdrawal_before_the_letter_was_owed_does_not_count(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = a_reader(session, newsletter, ANA, standing=Standing.LEFT)
        asked_at = NOON + timedelta(minutes=1)
        subscribers.set_standing(session, reader.id, newsletter.id, Standing.ASKED, now=asked_at)
        assert confirm(session, an_asked_signup(session, newsletter, received_at=asked_at)) is LinkUse.CONFIRMS


def test_of_two_newsletters_the_one_that_was_not_left_is_confirmed(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        an_asked_signup(session, second)
        both = an_asked_signup(session, first, newsletters=[first.id, second.id])
        withdraw(session, ana(session), [first.id])
        assert confirm(session, both) is LinkUse.CONFIRMS
        assert standing(session) == [Standing.LEFT, Standing.SUBSCRIBED]
        assert events(session).count(Event.CONFIRMED) == 1


def test_concurrent_withdrawal_and_confirmation_leave_a_ledger_without_gaps(begin, reading):
    with begin() as session:
        newsletter = a_newsletter(session)
        signups = [an_asked_signup(session, newsletter) for _ in range(6)]
        links = [(signup.id, signup.nonce) for signup in signups]

    def attempt(number: int) -> None:
        with begin() as session:
            if number % 2:
                reader = subscribers.lock_by_key(session, ANA)
                assert reader
                withdraw(session, reader)
            else:
                confirm_by(session, links[number // 2])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(12)))
    with reading() as session:
        found = events(session)  # examined by the doctor
        assert Event.CONFIRMED not in found[found.index(Event.WITHDRAWN) :], "every link is older than the withdrawal"
