"""Suppressions: who is left alone, remembered without being kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import select

from newsletter.consent import suppressions
from newsletter.consent.suppressions import Reason, Suppression
from newsletter.keys import Keyring
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

OLD, NEW = ("k1", "o" * 40), ("k2", "n" * 40)
RING = Keyring([OLD])
ANA, EVE = "ana@example.org", "eve@example.org"


def test_an_address_is_left_alone_once_for_each_reason(begin):
    with begin() as session:
        for day in range(3):
            for reason in (Reason.BOUNCED, Reason.NEVER):
                suppressions.add(session, RING, ANA, reason, now=NOON + timedelta(days=day))
        assert suppressions.reasons(session, RING, ANA) == {Reason.BOUNCED, Reason.NEVER}
        assert suppressions.reasons(session, RING, EVE) == set()
        assert [row.since for row in session.scalars(select(Suppression))] == [NOON, NOON]


def test_a_suppression_for_one_newsletter_says_nothing_about_others(begin):
    with begin() as session:
        reader = a_reader(session, a_newsletter(session), ANA)
        for _ in range(2):
            suppressions.add(session, RING, ANA, Reason.BOUNCED, scope="morning", now=NOON)
        assert suppressions.reasons(session, RING, ANA, scope="morning") == {Reason.BOUNCED}
        assert suppressions.reasons(session, RING, ANA) == set()
        assert reader.suppressed is None
        suppressions.add(session, RING, ANA, Reason.BOUNCED, now=NOON)
        assert reader.suppressed == Reason.BOUNCED


def test_a_suppression_outlives_the_rotation_of_keys_and_not_their_loss(begin):
    rotated, lost = Keyring([NEW, OLD]), Keyring([NEW])
    with begin() as session:
        suppressions.add(session, RING, ANA, Reason.NEVER, now=NOON)
        suppressions.add(session, rotated, ANA, Reason.NEVER, now=NOON)
        suppressions.add(session, rotated, EVE, Reason.NEVER, now=NOON)
        assert [row.key_id for row in session.scalars(select(Suppression).order_by(Suppression.id))] == ["k1", "k2"]
        assert suppressions.reasons(session, rotated, ANA) == {Reason.NEVER}
        assert suppressions.reasons(session, lost, ANA) == set()


def test_the_strongest_reason_is_the_one_that_claims_see(begin):
    with begin() as session:
        reader = a_reader(session, a_newsletter(session), ANA)
        seen = []
        for reason in (Reason.WITHDRAWN, Reason.COMPLAINED, Reason.BOUNCED, Reason.NEVER, Reason.ERASED):
            suppressions.add(session, RING, ANA, reason, now=NOON)
            seen.append(reader.suppressed)
        assert seen == [Reason.WITHDRAWN, Reason.COMPLAINED, Reason.COMPLAINED, Reason.NEVER, Reason.NEVER]


def test_what_is_remembered_is_no_address_and_fits_none_without_the_key(begin, reading):
    with begin() as session:
        suppressions.add(session, RING, ANA, Reason.NEVER, now=NOON)
    with reading() as session:
        row = session.scalars(select(Suppression)).one()
        assert "ana" not in repr(row)
        assert row.mac.startswith("k1:")
        assert suppressions.reasons(session, Keyring([("k1", "x" * 40)]), ANA) == set()


def test_saying_so_many_times_at_once_is_saying_so_once(begin, reading):
    with begin() as session:
        a_reader(session, a_newsletter(session), ANA)

    def add(_: int) -> None:
        with begin() as session:
            suppressions.add(session, RING, ANA, Reason.NEVER, now=NOON)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(12)))
    with reading() as session:
        assert len(session.scalars(select(Suppression)).all()) == 1
