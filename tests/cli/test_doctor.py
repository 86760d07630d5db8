"""`newsletter doctor`: what it says, how it exits, what --fix mends, and that a second run finds nothing."""

import json
import re

import pytest
from sqlalchemy import delete, select, update

from newsletter.audit_log import AuditEntry
from newsletter.consent.subscribers import Subscription
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from tests.builders import owed
from tests.clock import NOON


@pytest.fixture
def damaged(database):
    """A letter that nobody carries, subscriptions that are not the ledger's, and a sum that is wrong."""
    with database.writing() as session:
        lost, kept, _ = owed(session, 3)
        session.execute(update(Delivery).where(Delivery.id == kept.id).values(status=DeliveryStatus.CLAIMED))
        session.execute(delete(Delivery).where(Delivery.id == lost.id))
        session.execute(update(Subscription).values(standing="left"))


def test_a_sound_service(newsletter):
    done = newsletter("doctor")
    proved = "ok: each letter's deliveries add up to its audience, and subscriptions agree with the ledger"
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, proved)
    verdict = json.loads(newsletter("doctor", "--json").stdout)
    assert (verdict["verdict"], verdict["findings"], verdict["mended"]) == ("ok", [], [])


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--help"), ("issues", "resume", "--help")])
def test_nothing_is_promised_that_only_the_relay_can_know(newsletter, database, words):
    with database.writing() as session:
        delivery, _ = owed(session, 2, first_tried_at=NOON, decided_at=NOON)
        session.execute(update(Delivery).values(status=DeliveryStatus.SENT))
        delivery.status, delivery.deaths = DeliveryStatus.UNKNOWN, 1  # both its copies may have arrived, or none
    said = newsletter(*words)
    assert said.exit_code == 0
    assert re.findall(r"(?i)\b(doubled?|duplicates?|twice|lost|missing|exactly once)\b", said.stdout) == []


def test_doctor_says_what_it_cannot_see(newsletter):
    assert "It reads the database only." in newsletter("doctor", "--help").stdout


def test_every_finding_has_a_name_a_place_and_says_what_can_be_done(newsletter, damaged):
    done = newsletter("doctor")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("wrong")] == [
        "sums:",
        "dead-claims:",
        *3 * ["standing:"],
    ]
    assert lines.count("        newsletter doctor --fix mends it.") == 4
    verdict = json.loads(newsletter("doctor", "--json").stdout)
    assert verdict["verdict"] == "wrong"
    assert {each["check"]: each["fixable"] for each in verdict["findings"]} == {
        "sums": False,
        "dead-claims": True,
        "standing": True,
    }


def test_fix_mends_what_it_can_names_what_it_left_and_the_next_run_has_nothing_to_mend(newsletter, database, damaged):
    done = newsletter("doctor", "--fix")
    assert done.exit_code == 1
    kinds = [line.split()[:2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert kinds[:3] == [["mended", "standing:"], ["mended", "dead-claims:"], ["wrong", "sums:"]]
    with database.reading() as session:
        acts = list(
            session.scalars(select(AuditEntry).where(AuditEntry.verb == "doctor mended").order_by(AuditEntry.id))
        )
    assert [act.subject for act in acts] == ["check:standing", "check:dead-claims"]
    assert all(act.actor.startswith("cli:") for act in acts)
    again = json.loads(newsletter("doctor", "--fix", "--json").stdout)
    assert again["mended"] == []
    assert [each["check"] for each in again["findings"]] == ["sums"]


def test_what_the_keys_alone_can_tell_is_not_called_sound_without_them(newsletter, monkeypatch):
    remarks = json.loads(newsletter("doctor", "--json").stdout)["remarks"]
    assert [each["name"] for each in remarks] == ["suppressed"]
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "k1:" + "s" * 40)
    assert json.loads(newsletter("doctor", "--json").stdout)["remarks"] == []
