"""Suppressions: addresses and inboxes that are not written to, stored only as keyed hashes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.consent.limits import inboxes, tickets
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.subscribers.suppressions import ALL_NEWSLETTERS, Reason, Suppression
from newsletter.keys import Keyring
from newsletter.newsletters import Newsletter
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
        rows = session.execute(select(Suppression.reason, Suppression.since)).all()
        assert sorted(rows) == [(Reason.BOUNCED, NOON), (Reason.NEVER, NOON), (Reason.NEVER, NOON)]


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
        assert [row.key_id for row in session.scalars(select(Suppression).order_by(Suppression.id))] == [
            *("k1", "k1", "k2", "k2"),  # of the address and of its inbox
        ]
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
        for row in session.scalars(select(Suppression)):
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
        assert len(session.scalars(select(Suppression)).all()) == 2  # the address and its inbox


def spelled(session: Session, newsletter: Newsletter, address: str, **columns: object) -> Subscriber:
    """A reader whose inbox is known."""
    reader = a_reader(session, newsletter, address, **columns)
    reader.fold_key = inboxes.folds(KEYRING, reader.address_key)[0]
    session.flush()
    return reader


def test_never_covers_every_spelling_of_the_inbox_and_no_other(begin):
    with begin() as session:
        suppressions.add(session, KEYRING, "ana.b+x@gmail.com", Reason.NEVER, now=NOON)
        for spelling in ("ana.b+x@gmail.com", "anab@gmail.com", "a.n.a.b@googlemail.com", "anab+y@gmail.com"):
            assert suppressions.reasons(session, KEYRING, spelling) == {Reason.NEVER}
        asked = ["anab@gmail.com", EVE, "anna@gmail.com", "a.nab@gmail.com"]
        assert suppressions.never(session, KEYRING, asked) == {"anab@gmail.com": False, "a.nab@gmail.com": False}
        assert suppressions.strongest(session, KEYRING, asked) == dict.fromkeys(
            ("anab@gmail.com", "a.nab@gmail.com"), Reason.NEVER
        )


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NEVER])
def test_every_other_reason_is_about_one_address(begin, reason):
    with begin() as session:
        newsletter = a_newsletter(session)
        tagged, plain = spelled(session, newsletter, "ana+x@example.org"), spelled(session, newsletter, ANA)
        assert suppressions.add(session, KEYRING, "ana+x@example.org", reason, now=NOON) == [tagged]
        assert suppressions.reasons(session, KEYRING, ANA) == set()
        assert (tagged.suppressed, plain.suppressed) == (reason, None)


def test_never_marks_the_subscribers_of_all_spellings_and_names_those_newly_marked(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        tagged, plain, other = [
            spelled(session, newsletter, each) for each in ("ana+x@example.org", ANA, "anna@example.org")
        ]
        suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, now=NOON)
        marked = suppressions.add(session, KEYRING, "ana+y@example.org", Reason.NEVER, now=NOON)
        assert {each.id for each in marked} == {tagged.id, plain.id}
        assert [each.suppressed for each in (tagged, plain, other)] == [Reason.NEVER, Reason.NEVER, None]
        assert suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON) == []


def test_never_finds_spellings_that_were_folded_with_an_older_key(begin):
    rotated = Keyring([NEW, OLD])
    with begin() as session:
        plain = spelled(session, a_newsletter(session), ANA)
        assert suppressions.add(session, rotated, "ana+x@example.org", Reason.NEVER, now=NOON) == [plain]


def test_a_never_of_the_release_before_still_counts_for_its_address_alone(begin):
    with begin() as session:
        mac = addresses.fingerprint(KEYRING, ANA)
        session.add(Suppression(key_id="k1", mac=mac, scope=ALL_NEWSLETTERS, reason=Reason.NEVER, since=NOON))
        session.flush()
        assert suppressions.never(session, KEYRING, [ANA, "ana+x@example.org"]) == {ANA: False}
        assert suppressions.reasons(session, KEYRING, "ana+x@example.org") == set()
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
        assert suppressions.never(session, KEYRING, [ANA, "ana+x@example.org"]) == {
            ANA: False,
            "ana+x@example.org": False,
        }


def test_a_stronger_mark_that_no_suppression_explains_is_never_weakened(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        reader = spelled(session, newsletter, ANA, suppressed=Reason.COMPLAINED)
        suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, now=NOON)
        assert reader.suppressed == Reason.COMPLAINED


def test_one_letter_may_be_allowed_to_an_inbox_that_said_never(begin):
    with begin() as session:
        assert suppressions.allow_letter(session, KEYRING, ANA, now=NOON) == []
        suppressions.add(session, KEYRING, "ana+x@example.org", Reason.NEVER, now=NOON)
        assert len(suppressions.allow_letter(session, KEYRING, ANA, now=NOON)) == 1
        spellings = [ANA, "ana+x@example.org", "ana+y@example.org"]
        said_it_itself = {"ana+x@example.org": False}
        allowed = {ANA: True, **said_it_itself, "ana+y@example.org": True}
        assert suppressions.never(session, KEYRING, spellings) == allowed
        suppressions.use_allowance(session, KEYRING, ["ana+y@example.org"])
        assert suppressions.never(session, KEYRING, spellings) == dict.fromkeys(spellings, False)


def test_saying_never_again_takes_an_allowance_back(begin):
    with begin() as session:
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
        suppressions.allow_letter(session, KEYRING, ANA, now=NOON)
        assert suppressions.never(session, KEYRING, [ANA]) == {ANA: True}
        suppressions.add(session, KEYRING, "ana+x@example.org", Reason.NEVER, now=NOON)
        assert suppressions.never(session, KEYRING, [ANA]) == {ANA: False}


def test_lifting_never_leaves_other_reasons_and_other_spellings_that_said_it_themselves(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        plain, tagged, own = [
            spelled(session, newsletter, each) for each in (ANA, "ana+x@example.org", "ana+own@example.org")
        ]
        suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, now=NOON)
        for address in (ANA, "ana+own@example.org"):
            suppressions.add(session, KEYRING, address, Reason.NEVER, now=NOON)
        suppressions.lift_never(session, KEYRING, ANA)
        assert suppressions.reasons(session, KEYRING, ANA) == {Reason.BOUNCED}
        assert suppressions.never(session, KEYRING, [ANA, "ana+x@example.org", "ana+own@example.org"]) == {
            "ana+own@example.org": False
        }
        assert [each.suppressed for each in (plain, tagged, own)] == [Reason.BOUNCED, None, Reason.NEVER]


def test_never_takes_the_inboxs_tickets_and_an_allowed_letter_gives_them_back(begin):
    with begin() as session:
        (fold,) = inboxes.folds(KEYRING, ANA)
        tickets.take(session, [(fold, 1, "signup:1")], now=NOON - timedelta(hours=1))
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
        assert tickets.taken(session, [fold], now=NOON) == {fold: {0, 1, 2}}
        suppressions.allow_letter(session, KEYRING, ANA, now=NOON)
        assert tickets.taken(session, [fold], now=NOON) == {fold: set()}


def test_a_transaction_that_read_no_never_owes_no_letter_to_another_spelling_after_it(postgresql_database):
    tagged = "ana+x@example.org"
    (fold,) = inboxes.folds(KEYRING, tagged)
    with postgresql_database.writing() as answering:
        assert suppressions.never(answering, KEYRING, [tagged]) == {}
        with postgresql_database.writing() as refusing:
            suppressions.add(refusing, KEYRING, ANA, Reason.NEVER, now=NOON)
        assert not tickets.take(answering, [(fold, 1, "signup:1")], now=NOON)
        assert suppressions.never(answering, KEYRING, [tagged]) == {tagged: False}
