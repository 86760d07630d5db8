"""Letters with a fresh link, as this release writes them and as the next does: claimed, repeated and counted."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import templating
from newsletter.consent.subscribers.subscribers import Subscriber, Subscription
from newsletter.doctor import counts
from newsletter.mail.delivery import claims, results
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.mail.mailings import preference_links
from newsletter.mail.transport.transport import Outcome, Reply, Result
from tests.builders import KEYRING, a_newsletter, a_reader, a_worker
from tests.clock import NOON

BASE_URL = "https://letters.example.org"
WRITTEN_AS = pytest.mark.parametrize("kind", [LetterKind.ISSUE, LetterKind.LINK])


def owe(session: Session, reader: Subscriber, **options) -> bool:
    site = {"templates": templating.environment, "keyring": KEYRING, "base_url": BASE_URL}
    return preference_links.owe(session, reader.id, **{"asked_from": None, "now": NOON, **site, **options})


def owed(session: Session, kind: LetterKind) -> Delivery:
    """Owe a link to a new reader, in a letter of this kind; return its delivery."""
    assert owe(session, a_reader(session, a_newsletter(session)))
    session.execute(update(Letter).values(kind=kind))
    return session.scalars(select(Delivery)).one()


def claim(session: Session, worker: int) -> list[claims.Claimed]:
    return claims.claim(session, worker, limit=10, urgent=True, key="k1", now=NOON)


@WRITTEN_AS
@pytest.mark.parametrize("paused_until", [None, NOON + timedelta(days=9)])
def test_a_link_is_claimed_for_a_reader_even_while_the_reader_pauses(begin, kind, paused_until):
    with begin() as session:
        delivery, worker = owed(session, kind), a_worker(session)
        session.execute(update(Subscription).values(paused_until=paused_until))
        assert [each.delivery for each in claim(session, worker)] == [delivery.id]


@pytest.mark.parametrize("change", [{"standing": "left"}, {"standing": "asked"}])
def test_a_link_is_withheld_from_who_is_no_reader_any_more_unless_they_asked_by_their_address(begin, change):
    with begin() as session:
        newsletter = a_newsletter(session)
        by_letter, by_address = a_reader(session, newsletter), a_reader(session, newsletter)
        assert owe(session, by_letter)
        session.execute(update(Subscription).values(change))
        assert not owe(session, by_address)
        assert owe(session, by_address, about_data=True)
        (claimed,) = claim(session, a_worker(session))
        assert claimed.subscriber == by_address.id
        withheld = select(Delivery.subscriber_id).where(Delivery.status == DeliveryStatus.WITHHELD)
        assert session.scalars(withheld).all() == [by_letter.id]


@WRITTEN_AS
def test_a_link_is_withheld_from_a_suppressed_address(begin, kind):
    with begin() as session:
        owed(session, kind)
        worker = a_worker(session)
        session.execute(update(Subscriber).values(suppressed="complained"))
        assert claim(session, worker) == []


@WRITTEN_AS
@pytest.mark.parametrize(
    ("code", "status", "minutes"), [(451, DeliveryStatus.QUEUED, 1), (550, DeliveryStatus.FAILED, None)]
)
def test_a_deferred_link_is_repeated_soon_and_a_refused_one_is_not_held(begin, kind, code, status, minutes):
    with begin() as session:
        delivery, worker = owed(session, kind), a_worker(session)
        (claimed,) = claim(session, worker)
        reply = Reply(code, f"{code // 100}.7.1", "not from you")
        result = Result(claimed.delivery, claimed.attempt, Outcome.LATER, reply, NOON)
        assert results.record(session, worker, [result], now=NOON) == 1
        session.refresh(delivery)
        assert delivery.status is status
        if minutes:
            wait = delivery.due_at - NOON
            assert timedelta(minutes=0.9 * minutes) <= wait <= timedelta(minutes=1.1 * minutes)


@WRITTEN_AS
def test_a_link_is_counted_as_a_link(begin, kind):
    with begin() as session:
        owed(session, kind)
        states = counts.count(session, now=NOON).letters.states
        assert {letter: n for (letter, _), n in states.items() if n} == {LetterKind.LINK: 1}


def test_spellings_of_an_inbox_share_its_letters(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        readers = [a_reader(session, newsletter, address) for address in ("ana@example.org", "ana+x@example.org")]
        times = [NOON + timedelta(minutes=11 * number) for number in range(4)]
        # The tagged spelling may not take the ticket that is kept for the other one.
        assert [owe(session, readers[1], now=now) for now in times] == [True, True, False, False]
        assert [owe(session, readers[0], now=now) for now in times] == [True, False, False, False]
