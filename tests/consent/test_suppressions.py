"""Suppressions: addresses that are not written to, stored only as keyed hashes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import select

from newsletter.consent import suppressions
from newsletter.consent.suppressions import Reason, Suppression
from newsletter.keys import Keyring
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

OLD, NEW = ("k1", "o" * 40), ("k2", "n" * 40)
KEYRING = Keyring([OLD])
ANA, EVE = "ana@example.org", "eve@example.org"


def test_an_address_is_suppressed_once_for_each_reason(begin):
    with begin() as session:
        for day in range(3):
            for reason in (Reason.BOUNCED, Reason.NEVER):
                suppressions.add(session, KEYRING, ANA, reason, now=NOON + timedelta(days=day))
        assert suppressions.reasons(session, KEYRING, ANA) == {Reason.BOUNCED, Reason.NEVER}
        assert suppressions.reasons(session, KEYRING, EVE) == set()
        assert [row.since for row in session.scalars(select(Suppression))] == [NOON, NOON]


def test_a_suppression_for_one_newsletter_does_not_affect_others(begin):
    with begin() as session:
        reader = a_reader(session, a_newsletter(session), ANA)
        for _ in range(2):
            suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, scope="morning", now=NOON)
        assert suppressions.reasons(session, KEYRING, ANA, scope="morning") == {Reason.BOUNCED}
        assert suppressions.reasons(session, KEYRING, ANA) == set()
        assert reader.suppressed is None
        suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, now=NOON)
        assert reader.suppressed == Reason.BOUNCED


def test_a_suppression_survives_key_rotation_but_not_the_loss_of_its_key(begin):
    rotated, lost = Keyring([NEW, OLD]), Keyring([NEW])
    with begin() as session:
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
        suppressions.add(session, rotated, ANA, Reason.NEVER, now=NOON)
        suppressions.add(session, rotated, EVE, Reason.NEVER, now=NOON)
        assert [row.key_id for row in session.scalars(select(Suppression).order_by(Suppression.id))] == ["k1", "k2"]
        assert suppressions.reasons(session, rotated, ANA) == {Reason.NEVER}
        assert suppressions.reasons(session, lost, ANA) == set()


def test_the_subscriber_row_holds_the_strongest_reason(begin):
    with begin() as session:
        reader = a_reader(session, a_newsletter(session), ANA)
        seen = []
        for reason in (Reason.WITHDRAWN, Reason.COMPLAINED, Reason.BOUNCED, Reason.NEVER, Reason.ERASED):
            suppressions.add(session, KEYRING, ANA, reason, now=NOON)
            seen.append(reader.suppressed)
        assert seen == [Reason.WITHDRAWN, Reason.COMPLAINED, Reason.COMPLAINED, Reason.NEVER, Reason.NEVER]


def test_a_suppression_holds_no_address_and_matches_none_without_the_key(begin, reading):
    with begin() as session:
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
    with reading() as session:
        row = session.scalars(select(Suppression)).one()
        assert "ana" not in repr(row)
        assert row.mac.startswith("k1:")
        assert suppressions.reasons(session, Keyring([("k1", "x" * 40)]), ANA) == set()


def test_concurrent_suppressions_of_an_address_are_stored_once(begin, reading):
    with begin() as session:
        a_reader(session, a_newsletter(session), ANA)

    def add(_: int) -> None:
        with begin() as session:
            suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(12)))
    with reading() as session:
        assert len(session.scalars(select(Suppression)).all()) == 1
