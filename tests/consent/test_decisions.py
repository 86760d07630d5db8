"""Confirm, withdraw and refuse: each decision counts once, however often it is repeated."""

import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent import decisions, ledger, subscribers, suppressions
from newsletter.consent.ledger import Event, Evidence, LedgerEntry, Trace
from newsletter.consent.limits import inboxes
from newsletter.consent.signups import Signup, SignupState
from newsletter.consent.subscribers import Standing, Subscriber
from newsletter.doctor import examination
from newsletter.doctor.checks import suppressed
from newsletter.doctor.checks.findings import Check
from newsletter.errors import LinkExpired
from newsletter.newsletters import Newsletter
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup
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


def confirm(session: Session, signup: Signup, *, now=LATER) -> bool:
    return decisions.confirm(session, signup, evidence={"method": "button"}, trace=TRACE, now=now)


def withdraw(session: Session, reader: Subscriber, newsletters: Collection[int]) -> list[int]:
    return decisions.withdraw(session, reader, newsletters=newsletters, how="button", trace=TRACE, now=LATER)


def refuse(session: Session, signup: Signup) -> None:
    decisions.refuse(session, KEYRING, signup, trace=TRACE, now=LATER)


def events(session: Session) -> list[Event]:
    # These tests write no letters, so the doctor finds sign-ups without one.
    assert not [finding for finding in examination.examine(session) if finding.check is not Check.SIGNUPS]
    return list(session.scalars(select(LedgerEntry.event).order_by(LedgerEntry.id)))


def ana(session: Session) -> Subscriber:
    return session.scalars(select(Subscriber).where(Subscriber.address_key == ANA)).one()


def standing(session: Session) -> list[Standing]:
    subscriptions = subscribers.subscriptions(session, ana(session).id)
    return [subscriptions[newsletter_id].standing for newsletter_id in sorted(subscriptions)]


def test_confirming_counts_once(begin):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session), evidence={"name": "Ana", "timezone": "Europe/Berlin"})
        assert [confirm(session, signup) for _ in range(3)] == [True, False, False]
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
        assert confirm(session, an_asked_signup(session, first, newsletters=[second.id, first.id]))
        assert standing(session) == [Standing.SUBSCRIBED] * 2
        assert events(session).count(Event.CONFIRMED) == 2


def test_concurrent_confirmations_count_once(begin, reading):
    with begin() as session:
        number = an_asked_signup(session, a_newsletter(session)).id

    def attempt(_: int) -> bool:
        with begin() as session:
            return confirm(session, decisions.find_signup(session, (number, nonce), lock=True))

    with reading() as session:
        nonce = session.get_one(Signup, number).nonce
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    with reading() as session:
        assert events(session) == [Event.REQUESTED, Event.CONFIRMED]


def test_a_link_to_a_deleted_sign_up_or_with_another_nonce_has_expired(begin):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session))
        assert decisions.find_signup(session, (signup.id, signup.nonce), lock=False) is signup
        for ids in ((signup.id, signup.nonce + 1), (signup.id + 1, signup.nonce)):
            with pytest.raises(LinkExpired):
                decisions.find_signup(session, ids, lock=True)


def test_a_confirmation_after_72_hours_or_without_a_subscriber_has_expired(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        late = an_asked_signup(session, newsletter)
        forgotten = a_signup(session, newsletter, "eve@example.org", state=SignupState.ASKED)
        with pytest.raises(LinkExpired):
            confirm(session, late, now=NOON + timedelta(hours=72))
        with pytest.raises(LinkExpired):
            confirm(session, forgotten)
        assert events(session) == [Event.REQUESTED]


def test_a_late_confirmation_by_a_subscriber_is_no_error(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first, second = an_asked_signup(session, newsletter), an_asked_signup(session, newsletter)
        confirm(session, second)
        assert not confirm(session, first, now=NOON + timedelta(hours=72))
        assert events(session).count(Event.CONFIRMED) == 1


@pytest.mark.parametrize("state", [SignupState.RECEIVED, SignupState.QUIET, SignupState.FAILED, SignupState.REFUSED])
def test_only_a_sign_up_that_was_asked_can_be_confirmed(begin, state):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session))
        signup.state = state
        with pytest.raises(LinkExpired):
            confirm(session, signup)
        assert standing(session) == [Standing.ASKED]


def test_withdrawing_counts_once_and_only_for_the_named_newsletters(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        reader = a_reader(session, first, ANA)
        a_reader(session, second, ANA)
        assert withdraw(session, reader, [first.id, 99]) == [first.id]
        assert withdraw(session, reader, [first.id]) == []
        assert standing(session) == [Standing.LEFT, Standing.SUBSCRIBED]
        assert withdraw(session, reader, [first.id, second.id]) == [second.id]
        assert events(session).count(Event.WITHDRAWN) == 2


def test_a_reader_who_left_can_confirm_a_new_sign_up_but_not_the_old_one(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        first = an_asked_signup(session, newsletter)
        confirm(session, first)
        withdraw(session, ana(session), [newsletter.id])
        with pytest.raises(LinkExpired):
            confirm(session, first)
        assert confirm(session, an_asked_signup(session, newsletter))
        assert standing(session) == [Standing.SUBSCRIBED]


def test_refusing_ends_all_subscriptions_and_counts_once(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        confirm(session, an_asked_signup(session, first))
        signup = an_asked_signup(session, second)
        for _ in range(3):
            refuse(session, signup)
        assert standing(session) == [Standing.LEFT] * 2
        assert events(session)[-3:] == [Event.WITHDRAWN, Event.WITHDRAWN, Event.REFUSED]
        assert suppressions.reasons(session, KEYRING, ANA) == {suppressions.Reason.NEVER}
        assert ana(session).suppressed == suppressions.Reason.NEVER


def test_after_a_refusal_no_other_sign_up_can_be_confirmed(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        refused, other = an_asked_signup(session, first), an_asked_signup(session, second)
        refuse(session, refused)
        with pytest.raises(LinkExpired):
            confirm(session, other)
        refuse(session, other)
        assert events(session).count(Event.REFUSED) == 1
        assert Event.CONFIRMED not in events(session)


def test_an_address_without_a_subscriber_can_be_refused(begin):
    with begin() as session:
        signup = a_signup(session, a_newsletter(session), ANA, state=SignupState.ASKED)
        refuse(session, signup)
        assert suppressions.reasons(session, KEYRING, ANA) == {suppressions.Reason.NEVER}
        assert events(session) == []


def spelled(session: Session, newsletter: Newsletter, address: str, **columns: object) -> Subscriber:
    """A reader whose inbox is known."""
    reader = a_reader(session, newsletter, address, **columns)
    reader.fold_key = inboxes.folds(KEYRING, reader.address_key)[0]
    session.flush()
    return reader


def test_refusing_ends_the_subscriptions_of_every_spelling_each_in_the_ledger(begin):
    with begin() as session:
        first, second = a_newsletter(session), a_newsletter(session, "evening")
        signup = an_asked_signup(session, first)
        tagged = spelled(session, second, "ana+x@example.org")
        other = spelled(session, first, "anna@example.org")
        refuse(session, signup)
        assert tagged.suppressed == suppressions.Reason.NEVER
        assert [each.standing for each in subscribers.subscriptions(session, tagged.id).values()] == [Standing.LEFT]
        history = ledger.history(session, tagged.subject)
        assert [entry.event for entry in history][-2:] == [Event.WITHDRAWN, Event.REFUSED]
        evidence = json.loads(session.get_one(Evidence, history[-1].id).body)
        assert evidence == {"address": "ana+x@example.org", "how": decisions.LINK_TO_OTHER_SPELLING}
        assert ledger.history(session, ana(session).subject)[-1].event is Event.REFUSED
        assert other.suppressed is None
        assert [each.standing for each in subscribers.subscriptions(session, other.id).values()] == [
            Standing.SUBSCRIBED
        ]
        assert not list(suppressed.suppressed(session, KEYRING))


def test_a_letter_that_was_allowed_before_lifts_nothing_after_the_person_has_said_never_again(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        signup, other = an_asked_signup(session, newsletter), an_asked_signup(session, newsletter)
        other.lifts_suppression = True
        refuse(session, signup)
        assert other.lifts_suppression is None


def test_two_spellings_that_refuse_at_once_never_wait_for_each_other(begin, reading):
    spellings = [f"ana+{number}@example.org" for number in range(4)]
    with begin() as session:
        newsletter = a_newsletter(session)
        asked = [an_asked_signup(session, newsletter, each).id for each in spellings]
        for reader in session.scalars(select(Subscriber)):
            reader.fold_key = inboxes.folds(KEYRING, reader.address_key)[0]

    def say_never(number: int) -> None:
        with begin() as session:
            refuse(session, session.get_one(Signup, number, with_for_update=True))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(say_never, asked))
    with reading() as session:
        refused = session.scalars(select(LedgerEntry).where(LedgerEntry.event == Event.REFUSED)).all()
        assert len({entry.subject for entry in refused}) == len(refused) == 4
        assert set(session.scalars(select(Subscriber.suppressed))) == {suppressions.Reason.NEVER}
