"""What an operator decides about a person: audited, without their address in the audit log."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.audit_log import AuditEntry
from newsletter.consent.decisions import operator_decisions
from newsletter.consent.decisions.operator_decisions import MAX_CHARACTERS
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event, Evidence
from newsletter.consent.limits import inboxes
from newsletter.consent.subscribers import subscribers, suppressions
from newsletter.consent.subscribers.subscribers import Standing
from newsletter.consent.subscribers.suppressions import Reason, Suppression
from newsletter.errors import Malformed, NotFound, Refused
from tests.builders import KEYRING, a_newsletter, a_reader
from tests.clock import NOON

ANA = "ana@example.org"
LATER = NOON + timedelta(days=1)
BY = {"actor": "cli:eve", "now": LATER}


def test_a_person_is_withdrawn_from_all_newsletters_or_from_one_with_the_route_of_their_word(begin):
    with begin() as session:
        morning, evening, noon = (a_newsletter(session, slug) for slug in ("morning", "evening", "noon"))
        for newsletter in (morning, evening, noon):
            ana = a_reader(session, newsletter, ANA)
        how = "e-mail of 3 May"
        assert operator_decisions.withdraw(session, " ANA@example.org", newsletter=noon, how=how, **BY) == ["noon"]
        assert operator_decisions.withdraw(session, ANA, how=how, **BY) == ["morning", "evening"]
        assert operator_decisions.withdraw(session, ANA, how=how, **BY) == []
        assert {each.standing for each in subscribers.subscriptions(session, ana.id).values()} == {Standing.LEFT}
        entries = [entry for entry in ledger.history(session, ana.subject) if entry.event is Event.WITHDRAWN]
        assert [entry.newsletter_id for entry in entries] == [noon.id, morning.id, evening.id]
        evidence = json.loads(session.get_one(Evidence, entries[0].id).body)
        assert evidence == {"address": ANA, "how": "the person's word to an operator: e-mail of 3 May"}


def test_the_audit_log_names_the_person_by_id_and_holds_no_address(begin):
    with begin() as session:
        ana = a_reader(session, a_newsletter(session), ANA)
        suppressions.add(session, KEYRING, "ned@example.org", Reason.NEVER, now=NOON)
        operator_decisions.withdraw(session, ANA, how=f"e-mail from <{ANA}>", **BY)
        numbers = operator_decisions.allow_letter(
            session, KEYRING, "ned@example.org", reason="ned@example.org called", **BY
        )
        entries = session.scalars(select(AuditEntry).where(AuditEntry.actor == "cli:eve").order_by(AuditEntry.id)).all()
        assert [(entry.verb, entry.subject, entry.fields) for entry in entries] == [
            (
                "subscriptions withdrawn",
                f"subscriber:{ana.id}",
                {"newsletters": ["morning"], "how": "e-mail from <address>"},
            ),
            *(("letter allowed", f"suppression:{number}", {"reason": "<address> called"}) for number in numbers),
        ]


@pytest.mark.parametrize("text", ["", " ", "a\x00b", "a" * (MAX_CHARACTERS + 1)])
def test_without_a_route_or_a_reason_nothing_is_done(begin, text):
    with begin() as session:
        ana = a_reader(session, newsletter := a_newsletter(session), ANA)
        suppressions.add(session, KEYRING, "ned@example.org", Reason.NEVER, now=NOON)
        with pytest.raises(Malformed) as refused:
            operator_decisions.withdraw(session, ANA, how=text, **BY)
        assert refused.value.field == "how"
        with pytest.raises(Malformed) as refused:
            operator_decisions.allow_letter(session, KEYRING, "ned@example.org", reason=text, **BY)
        assert refused.value.field == "reason"
        assert subscribers.subscriptions(session, ana.id)[newsletter.id].standing is Standing.SUBSCRIBED
        assert suppressions.never(session, KEYRING, ["ned@example.org"]) == {"ned@example.org": False}


def test_an_unknown_or_invalid_address_is_an_error(begin):
    with begin() as session:
        with pytest.raises(NotFound):
            operator_decisions.withdraw(session, ANA, how="letter", **BY)
        with pytest.raises(Malformed) as refused:
            operator_decisions.withdraw(session, "ana", how="letter", **BY)
        assert refused.value.field == "address"


def test_the_inboxs_other_spellings_that_read_a_newsletter_are_found(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for address, standing in (
            (ANA, Standing.SUBSCRIBED),
            ("ana+x@example.org", Standing.SUBSCRIBED),
            ("ana+y@example.org", Standing.ASKED),
            ("ana+z@example.org", Standing.LEFT),
            ("anna@example.org", Standing.SUBSCRIBED),
        ):
            reader = a_reader(session, newsletter, address, standing=standing)
            reader.fold_key = inboxes.folds(KEYRING, reader.address_key)[0]
        session.flush()
        found = operator_decisions.other_spellings(session, KEYRING, ANA)
        assert found == ["ana+x@example.org", "ana+y@example.org"]


def test_a_letter_is_allowed_only_to_somebody_who_said_never(begin):
    with begin() as session:
        suppressions.add(session, KEYRING, ANA, Reason.BOUNCED, now=NOON)
        with pytest.raises(Refused):
            operator_decisions.allow_letter(session, KEYRING, ANA, reason="called", **BY)
        suppressions.add(session, KEYRING, ANA, Reason.NEVER, now=NOON)
        operator_decisions.allow_letter(session, KEYRING, ANA, reason="called", **BY)
        allowed = session.execute(select(Suppression.reason, Suppression.letter_allowed_at)).all()
        assert sorted(allowed, key=str) == [
            (Reason.BOUNCED, None),
            (Reason.NEVER, LATER),
            (Reason.NEVER, LATER),
        ]
