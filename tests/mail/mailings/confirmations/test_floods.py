"""Ten thousand sign-ups at once: for one inbox, and for ten thousand inboxes."""

from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from newsletter import addresses
from newsletter.consent.limits.pressure import LetterLimits
from newsletter.consent.signups import signups, slow_lane
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.wordings import wordings
from tests.builders import KEYRING, a_newsletter
from tests.clock import NOON
from tests.confirming import count, letters_owed, process, states

LIMITS = LetterLimits(host=10, network=60, domain=100, overall=50)
NUMBERS = [300, pytest.param(10_000, marks=pytest.mark.slow)]


def flood(begin, number: int, address: Callable[[int], str]) -> None:
    """Store sign-ups, each from a network of its own, and answer them all."""
    with begin() as session:
        newsletter = a_newsletter(session)
        wording = wordings.current(session, newsletter.id, "en")
        assert wording
        rows = [
            signups.values(
                address=(parsed := addresses.parse(address(n))),
                fold_key=addresses.fold(KEYRING, parsed.key),
                newsletters=[newsletter.id],
                wording_id=wording.id,
                form=wording.form_exhibit,
                evidence={"ip": f"8.{n // 250}.{n % 250}.1"},
                network_key=f"network:{n}",
                now=NOON,
            )
            for n in range(number)
        ]
        session.execute(insert(Signup), rows)
    while process(begin, limits=LIMITS):
        pass


@pytest.mark.parametrize("number", NUMBERS)
def test_one_inbox_gets_three_letters_at_most_however_many_forms_are_posted_for_it(begin, number):
    flood(begin, number, lambda n: f"Ana+{n}@example.org" if n % 3 else "ana@example.org")
    assert letters_owed(begin) <= 3
    with begin() as session:
        assert slow_lane.waiting(session).number == 0, "what no letter is owed to waits for none"
        assert len(session.scalars(select(Subscriber.id)).all()) <= 3


@pytest.mark.parametrize("number", NUMBERS)
def test_no_more_inboxes_get_letters_than_the_limits_allow_and_the_others_wait(begin, number):
    flood(begin, number, lambda n: f"v{n}@town{n}.example")
    assert letters_owed(begin) == LIMITS.overall
    with begin() as session:
        assert slow_lane.waiting(session).number == number - LIMITS.overall
        assert slow_lane.is_under_attack(session)
    assert set(states(begin)) == {"asked", "quiet"}
    assert count(begin, Signup) == number
