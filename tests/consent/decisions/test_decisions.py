"""Withdraw and refuse: each decision counts once, however often it is repeated."""

import pytest

from newsletter.consent.decisions import decisions
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.signups.confirmation_links import LinkUse
from newsletter.consent.signups.signups import SignupState
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.errors import LinkExpired
from tests.builders import KEYRING, a_newsletter, a_reader, a_signup
from tests.consent.decided import ANA, an_asked_signup, ana, confirm, events, refuse, standing, withdraw


def test_a_link_to_a_deleted_sign_up_or_with_another_nonce_has_expired(begin):
    with begin() as session:
        signup = an_asked_signup(session, a_newsletter(session))
        assert decisions.find_signup(session, (signup.id, signup.nonce), lock=False) is signup
        for ids in ((signup.id, signup.nonce + 1), (signup.id + 1, signup.nonce)):
            with pytest.raises(LinkExpired):
                decisions.find_signup(session, ids, lock=True)


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
        assert confirm(session, other) is LinkUse.EXPIRED
        refuse(session, other)
        assert events(session).count(Event.REFUSED) == 1
        assert Event.CONFIRMED not in events(session)


def test_an_address_without_a_subscriber_can_be_refused(begin):
    with begin() as session:
        signup = a_signup(session, a_newsletter(session), ANA, state=SignupState.ASKED)
        refuse(session, signup)
        assert suppressions.reasons(session, KEYRING, ANA) == {suppressions.Reason.NEVER}
        assert events(session) == []
