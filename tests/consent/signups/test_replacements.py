"""A corrected sign-up voids the mistyped one before it, and nothing that somebody else has posted or confirmed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.signups import confirmation_links, replacements
from newsletter.consent.signups.confirmation_links import LinkUse
from newsletter.consent.signups.replacements import Former
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.doctor import examination
from newsletter.keys import Keyring
from newsletter.mail.mailings.confirmations.processing import COLUMNS
from newsletter.privacy import retention
from newsletter.store.database import Begin
from tests.builders import KEYRING, a_newsletter, a_signup
from tests.clock import NOON
from tests.confirming import confirmations_sent, parsed, process
from tests.consent.decided import confirm_by

WRONG, RIGHT = "ana@example.com", "ana@example.org"
SOON = NOON + timedelta(minutes=1)


def name_of(signup: Signup) -> str:
    return replacements.name(KEYRING, Former(signup.address_key, signup.nonce))


def correction(session: Session, wrong: Signup, address: str = RIGHT, **columns: Any) -> Signup:
    """Post the form again with another address, a minute later."""
    (newsletter,) = wrong.newsletters
    return a_signup(
        session, named(session, newsletter), address, replaces=name_of(wrong), **{"received_at": SOON, **columns}
    )


def named(session: Session, number: int):
    return session.get_one(confirmation_links.Newsletter, number)


def answered_and_corrected(begin: Begin) -> Signup:
    """Return a sign-up with a mistyped address, whose letter was owed before the visitor corrected it."""
    with begin() as session:
        wrong = a_signup(session, a_newsletter(session), WRONG)
    process(begin)
    with begin() as session:
        correction(session, session.get_one(Signup, wrong.id))
    return wrong


def addresses_written_to(begin: Begin) -> list[str]:
    return [parsed(letter)["To"] for letter in confirmations_sent(begin, now=SOON)]


def test_a_sign_up_corrected_before_its_letter_was_owed_is_deleted_at_once(begin):
    with begin() as session:
        correction(session, a_signup(session, a_newsletter(session), WRONG))
    process(begin, now=SOON)
    with begin() as session:
        (kept,) = session.scalars(select(Signup))
        assert (kept.address, kept.state, kept.replaces) == (RIGHT, SignupState.ASKED, None)
        assert [each.address for each in session.scalars(select(Subscriber))] == [RIGHT]
    assert addresses_written_to(begin) == [RIGHT]


def test_a_letter_that_waits_is_withheld_and_one_that_left_confirms_nothing(begin):
    wrong = answered_and_corrected(begin)
    process(begin, now=SOON)
    assert addresses_written_to(begin) == [RIGHT]
    with begin() as session:
        assert confirm_by(session, (wrong.id, wrong.nonce), now=SOON) is LinkUse.REPLACED
        assert not examination.examine(session)


def test_what_was_recorded_about_a_mistyped_address_goes_as_of_any_unconfirmed_one(begin):
    answered_and_corrected(begin)
    process(begin, now=SOON)
    with begin() as session:
        retention.forget_due(session, now=NOON + LINK_LIFETIME)
        events = session.execute(select(LedgerEntry.event, LedgerEntry.id).order_by(LedgerEntry.id)).all()
        evidence = [each.body.decode() for each in session.scalars(select(Evidence))]
        assert [event for event, _ in events] == [Event.REQUESTED, Event.REQUESTED, Event.LAPSED]
        assert [RIGHT in body for body in evidence if "address" in body] == [True]
        assert [each.address for each in session.scalars(select(Subscriber))] == [RIGHT]
        assert not examination.examine(session)


def test_the_owner_of_a_mistyped_inbox_can_still_refuse_all_letters_or_sign_up(begin):
    wrong = answered_and_corrected(begin)
    with begin() as session:
        elsewhere = {"received_at": SOON, "evidence": {"ip": "198.51.100.7"}}
        own = a_signup(session, named(session, wrong.newsletters[0]), WRONG, **elsewhere)
    process(begin, now=SOON)
    with begin() as session:
        assert session.get_one(Signup, own.id).state is SignupState.ASKED
        link = confirmation_links.find(session, (wrong.id, wrong.nonce))
        assert link.use(now=SOON) is LinkUse.REPLACED


def test_a_confirmed_sign_up_is_not_voided(begin):
    with begin() as session:
        wrong = a_signup(session, a_newsletter(session), WRONG)
    process(begin)
    with begin() as session:
        assert confirm_by(session, (wrong.id, wrong.nonce), now=NOON) is LinkUse.CONFIRMS
        correction(session, session.get_one(Signup, wrong.id))
    process(begin, now=SOON)
    with begin() as session:
        assert confirm_by(session, (wrong.id, wrong.nonce), now=SOON) is LinkUse.CONFIRMED


def test_who_asks_for_another_letter_to_the_same_address_voids_nothing(begin):
    with begin() as session:
        first = a_signup(session, a_newsletter(session), RIGHT)
    process(begin)
    later = NOON + timedelta(minutes=10)
    with begin() as session:
        correction(session, session.get_one(Signup, first.id), RIGHT.upper(), received_at=later)
    process(begin, now=later)
    with begin() as session:
        assert [each.state for each in session.scalars(select(Signup))] == [SignupState.ASKED] * 2
        assert confirm_by(session, (first.id, first.nonce), now=later) is LinkUse.CONFIRMS


def test_a_form_sent_twice_and_another_letter_asked_for_are_corrected_together(begin):
    """The visitor sees the last answer, which names the last sign-up alone."""
    with begin() as session:
        newsletter = a_newsletter(session)
        first = a_signup(session, newsletter, WRONG)
        twice = a_signup(session, newsletter, WRONG, received_at=NOON + timedelta(seconds=1))
        stranger = a_signup(session, newsletter, WRONG, evidence={"ip": "198.51.100.7"})
        # What the page adds to the evidence of a repeated form.
        again = correction(
            session, twice, WRONG, received_at=NOON + timedelta(hours=1), evidence={"method": "sent again"}
        )
        correction(session, again, received_at=NOON + timedelta(hours=2))
    process(begin, now=NOON + timedelta(hours=2))
    with begin() as session:
        kept = session.scalars(select(Signup).order_by(Signup.id)).all()
        assert [each.address for each in kept] == [WRONG, RIGHT]
        assert kept[0].id == stranger.id != first.id


@pytest.mark.parametrize("forged", ["", "x", "k1", "k1.", "k9.AAAA", "k1.AAAAAAAA", "k1." + "A" * 500, "é.é"])
def test_a_forged_name_is_none(forged):
    assert replacements.read(KEYRING, forged) is None


def test_a_name_of_another_service_or_with_a_changed_character_is_none():
    name = replacements.name(KEYRING, Former(WRONG, 7))
    assert replacements.read(Keyring([("k1", "t" * 40)]), name) is None
    assert replacements.read(KEYRING, name[:-1] + ("A" if name[-1] != "A" else "B")) is None
    assert replacements.read(Keyring([("k2", "t" * 40), ("k1", "s" * 40)]), name) == Former(WRONG, 7)


@given(st.text(min_size=1, max_size=60).map(lambda local: f"{local}@example.org"), st.integers(0, 2**63 - 1))
def test_a_name_says_whom_it_names(address_key, nonce):
    name = replacements.name(KEYRING, Former(address_key, nonce))
    assert not name or replacements.read(KEYRING, name) == Former(address_key, nonce)


corrections = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-1, 5)), max_size=6)


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["received", "asked", "confirmed"]), min_size=1, max_size=3), corrections, st.randoms())
def test_voiding_a_set_equals_voiding_one_by_one_in_any_order(begin, before, posted, random):
    """What a set voids does not depend on where it was cut, or on the order of the claim."""

    def left(sizes: int, *, shuffled: bool) -> list[tuple[str, SignupState, bool]]:
        with begin() as session:
            newsletter = newsletter_of(session)
            made = [a_signup(session, newsletter, "a@example.org", state=SignupState(state)) for state in before]
            for place, (letter, which) in enumerate(posted):
                replaces = name_of(made[which]) if 0 <= which < len(made) else None
                at = NOON + timedelta(hours=place + 1)
                made.append(a_signup(session, newsletter, f"{letter}@example.org", received_at=at, replaces=replaces))
            ids = [each.id for each in made[len(before) :]]
            if shuffled:
                random.shuffle(ids)
            for number in range(0, len(ids), sizes):
                claimed = select(*COLUMNS).where(Signup.id.in_(ids[number : number + sizes]))
                replacements.void_replaced(session, KEYRING, session.execute(claimed).all(), now=SOON)
            session.expire_all()
            kept = session.scalars(select(Signup).order_by(Signup.id))
            found = [(each.address, each.state, each.replaced_at is None) for each in kept]
            session.rollback()
        return found

    at_once = left(10, shuffled=False)
    assert left(1, shuffled=False) == at_once
    assert left(2, shuffled=True) == at_once


def newsletter_of(session: Session):
    return session.scalars(select(confirmation_links.Newsletter)).first() or a_newsletter(session)
