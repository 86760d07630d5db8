"""A reader who moves while a release before this one writes an issue gets it before the issue is marked sent."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import addresses, templating
from newsletter.consent.subscribers import address_changes
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.doctor import examination
from newsletter.doctor.checks.findings import Check
from newsletter.mail.delivery import claims, missed_readers
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.letters.letters import Letter
from newsletter.mail.mailings import issue_letters
from newsletter.privacy import address_confirmations
from tests.builders import KEYRING, a_delivery, a_letter, a_newsletter, a_reader, a_worker, an_issue
from tests.clock import NOON

MOVED, LATER = NOON + timedelta(seconds=1), NOON + timedelta(minutes=1)


def move(session, reader, new: str) -> None:
    wanted = addresses.parse(new)
    change = address_changes.ask(session, reader.id, reader.address_key, wanted, fold_key="f" * 64, now=NOON)
    address_confirmations.confirm(
        session,
        KEYRING,
        (change.id, change.nonce),
        trace=None,
        templates=templating.environment,
        base_url="https://letters.example.org",
        now=MOVED,
    )


@pytest.fixture
def missed(begin) -> tuple[Letter, int]:
    """A letter of an issue that one reader got; another one has moved, and what an older release owed is withheld."""
    with begin() as session:
        newsletter, worker = a_newsletter(session), a_worker(session)
        written = a_letter(session, newsletter, issue=an_issue(session, newsletter), audience=2)
        reader = a_reader(session, newsletter, "old@example.org")
        a_reader(session, newsletter, "new@example.org", standing=Standing.LEFT)
        move(session, reader, "new@example.org")
        a_delivery(session, written, reader)  # the statement that writes deliveries saw the readers before the move
        a_delivery(session, written, a_reader(session, newsletter), status=DeliveryStatus.SENT, decided_at=NOON)
        assert not claims.claim(session, worker, limit=9, urgent=False, key="k1", now=LATER)
    return written[0], worker


def found(begin) -> list[Check]:
    with begin() as session:
        return [each.check for each in examination.examine(session, keyring=KEYRING)]


def test_they_are_owed_the_issue_once_before_it_is_marked_sent(begin, missed):
    letter, worker = missed
    assert found(begin) == [Check.MOVES]
    for number in (1, 0):
        with begin() as session:
            assert missed_readers.owe(session, [letter.id], now=LATER) == number
            assert issue_letters.finish(session, now=LATER) == []
        assert found(begin) == []
    with begin() as session:
        claimed = claims.claim(session, worker, limit=9, urgent=False, key="k1", now=LATER)
        assert [each.address for each in claimed] == ["new@example.org"]
        assert session.scalars(select(Letter.audience).where(Letter.id == letter.id)).one() == 3


def test_an_issue_that_an_older_release_has_marked_sent_stays_so_and_doctor_tells_it(begin, missed):
    letter, _ = missed
    with begin() as session:
        assert issue_letters.finish(session, now=LATER) == [letter.issue_id]
        assert missed_readers.owe(session, [letter.id], now=LATER) == 0
    assert found(begin) == [Check.MOVES]
