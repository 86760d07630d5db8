"""The commands by which an operator decides about a person."""

import json

import pytest

from newsletter import settings
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import reader_choices, subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.keys import Keyring, load_keyring
from tests.builders import a_newsletter, a_reader
from tests.clock import NOON

ANA, TAGGED = "ana@example.org", "ana+news@example.org"


@pytest.fixture
def keyring(database) -> Keyring:
    return load_keyring(settings.load())


def reads(database, keyring, *addresses: str) -> None:
    """Subscribe these addresses to the morning letter."""
    with database.writing() as session:
        newsletter = a_newsletter(session)
        for address in addresses:
            reader = a_reader(session, newsletter, address)
            reader.fold_key = inboxes.folds(keyring, address)[0]


def test_what_a_person_chose_is_shown(newsletter, database, keyring):
    reads(database, keyring, ANA)
    with database.writing() as session:
        ana = subscribers.by_key(session, ANA)
        reader_choices.set_details(session, ana.id, {"name": "Ana", "zone": "Asia/Tokyo"})
        (number,) = subscribers.subscriptions(session, ana.id)
        reader_choices.set_pause(session, ana.id, number, reader_choices.OPEN_END)
    shown = newsletter("subscribers", "show", ANA)
    assert shown.stdout.splitlines() == [
        f"Address: {ANA}",
        "Name: Ana",
        "Language: none",
        "Zone: Asia/Tokyo",
        "Suppressed: none",
        "morning: subscribed since 2026-03-14 12:00 UTC, language en, paused until its reader ends the pause",
    ]
    (row,) = json.loads(newsletter("subscribers", "show", ANA, "--json").stdout)["newsletters"]
    assert (row["is_paused"], row["paused_until"]) == (True, None)
    assert newsletter("subscribers", "show", "nobody@example.org").exit_code == 1


def test_a_person_is_withdrawn_on_their_word(newsletter, database, keyring):
    reads(database, keyring, ANA, TAGGED)
    done = newsletter("subscribers", "withdraw", ANA, "--newsletter", "morning", "--how", "e-mail of 3 May")
    assert done.exit_code == 0
    assert done.stdout == f"Ended: morning.\nThe same inbox also reads at {TAGGED}; that goes on.\n"
    again = newsletter("subscribers", "withdraw", ANA, "--how", "e-mail of 3 May", "--json")
    assert json.loads(again.stdout) == {"ended": [], "other_spellings": [TAGGED]}
    with database.reading() as session:
        standings = {
            address: [
                each.standing
                for each in subscribers.subscriptions(session, subscribers.lock_by_key(session, address).id).values()
            ]
            for address in (ANA, TAGGED)
        }
    assert standings == {ANA: [Standing.LEFT], TAGGED: [Standing.SUBSCRIBED]}


def test_an_address_that_nobody_has_is_told_with_the_inboxs_other_spellings(failed, database, keyring):
    assert failed("subscribers", "withdraw", ANA, "--how", "letter") == (1, "No subscriber has that address.\n")
    reads(database, keyring, TAGGED)
    code, message = failed("subscribers", "withdraw", ANA, "--how", "letter")
    assert code == 1
    assert TAGGED in message


def test_one_letter_is_allowed_to_somebody_who_said_never(newsletter, failed, database, keyring):
    code, message = failed("subscribers", "allow", ANA, "--reason", "called")
    assert code == 1
    assert "has not asked never" in message
    with database.writing() as session:
        suppressions.add(session, keyring, ANA, Reason.NEVER, now=NOON)
    done = newsletter("subscribers", "allow", ANA, "--reason", "called")
    assert done.exit_code == 0
    assert "One confirmation letter is allowed." in done.stdout
    with database.reading() as session:
        assert suppressions.never(session, keyring, [ANA]) == {ANA: True}


def test_with_another_key_nobody_is_said_not_to_have_asked(newsletter, failed, database, keyring, monkeypatch):
    with database.writing() as session:
        suppressions.add(session, keyring, ANA, Reason.NEVER, now=NOON)
    newsletter("subscribers", "allow", "eve@example.org", "--reason", "called")
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "k1:" + "x" * 40)
    code, message = failed("subscribers", "allow", ANA, "--reason", "called")
    assert code == 2
    assert "secret keys" in message
