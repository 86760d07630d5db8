"""`newsletter doctor`: its output and exit code, what --fix repairs, and that a second run finds nothing to repair."""

import json
import re

import pytest
from sqlalchemy import delete, select, update

from newsletter import clock, key_registry
from newsletter.audit_log import AuditEntry
from newsletter.consent.subscribers import suppressions
from newsletter.consent.subscribers.subscribers import Subscription
from newsletter.consent.subscribers.suppressions import Reason
from newsletter.keys import Keyring
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.pace.notices import Condition, NoticeWriter
from tests.builders import owed
from tests.clock import NOON


@pytest.fixture
def damaged(database):
    """A claimed delivery without a worker, subscriptions that contradict the ledger, and a letter with a wrong sum."""
    with database.writing() as session:
        lost, kept, _ = owed(session, 3)
        session.execute(update(Delivery).where(Delivery.id == kept.id).values(status=DeliveryStatus.CLAIMED))
        session.execute(delete(Delivery).where(Delivery.id == lost.id))
        session.execute(update(Subscription).values(standing="left"))


def test_an_intact_database_is_ok(newsletter):
    result = newsletter("doctor")
    first_line = "ok: each letter's deliveries add up to its audience, and subscriptions agree with the ledger"
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, first_line)
    verdict = json.loads(newsletter("doctor", "--json").stdout)
    assert (verdict["verdict"], verdict["findings"], verdict["mended"]) == ("ok", [], [])


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--help"), ("issues", "resume", "--help")])
def test_the_output_claims_nothing_that_only_the_relay_can_know(newsletter, database, words):
    with database.writing() as session:
        delivery, _ = owed(session, 2, first_tried_at=NOON, decided_at=NOON)
        session.execute(update(Delivery).values(status=DeliveryStatus.SENT))
        delivery.status, delivery.deaths = DeliveryStatus.UNKNOWN, 1  # both copies may have arrived, or none
    result = newsletter(*words)
    assert result.exit_code == 0
    assert re.findall(r"(?i)\b(doubled?|duplicates?|twice|lost|missing|exactly once)\b", result.stdout) == []


def test_the_help_says_what_doctor_cannot_check(newsletter):
    assert "It reads the database only, so it cannot tell" in " ".join(newsletter("doctor", "--help").stdout.split())


def test_every_finding_has_a_name_a_place_and_a_remedy(newsletter, damaged):
    result = newsletter("doctor")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("wrong")] == [
        "sums:",
        "dead-claims:",
        *3 * ["standing:"],
    ]
    assert lines.count("        Repair it: newsletter doctor --fix") == 4
    verdict = json.loads(newsletter("doctor", "--json").stdout)
    assert verdict["verdict"] == "wrong"
    assert {each["check"]: each["fixable"] for each in verdict["findings"]} == {
        "sums": False,
        "dead-claims": True,
        "standing": True,
    }


def test_fix_repairs_what_it_can_and_reports_the_rest(newsletter, database, damaged):
    result = newsletter("doctor", "--fix")
    assert result.exit_code == 1
    kinds = [line.split()[:2] for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert kinds[:3] == [["repaired", "standing:"], ["repaired", "dead-claims:"], ["wrong", "sums:"]]
    with database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.verb == "doctor mended").order_by(AuditEntry.id)
        entries = list(session.scalars(query))
    assert [entry.subject for entry in entries] == ["check:standing", "check:dead-claims"]
    assert all(entry.actor.startswith("cli:") for entry in entries)
    again = json.loads(newsletter("doctor", "--fix", "--json").stdout)
    assert again["mended"] == []
    assert [each["check"] for each in again["findings"]] == ["sums"]


def test_a_remark_names_the_check_that_was_skipped_without_keys(newsletter, monkeypatch):
    def skipped() -> bool:
        remarks = json.loads(newsletter("doctor", "--json").stdout)["remarks"]
        return "suppressed" in [each["name"] for each in remarks]

    assert skipped()
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "k1:" + "s" * 40)
    assert not skipped()


KEYS, OTHER_KEYS = "k1:" + "s" * 40, "k1:" + "t" * 40


def used_with(database, keys: str) -> None:
    """Start the service once with these keys."""
    with database.writing() as session:
        key_registry.check(session, keyring := Keyring([tuple(keys.split(":"))]), now=NOON)
        suppressions.add(session, keyring, "ana@example.org", Reason.NEVER, now=NOON)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (KEYS, None),
        ("", "k1 is missing"),
        (OTHER_KEYS, "k1 is another key than before"),
        ("k2:" + "u" * 40, "k1 is missing but still in use"),
        ("k2:" + "u" * 40 + "," + KEYS, None),
    ],
)
@pytest.mark.parametrize("words", [(), ("--fix",)])
def test_a_lost_or_wrong_key_is_not_ok(newsletter, database, monkeypatch, keys, says, words):
    used_with(database, KEYS)
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", keys)
    result = newsletter("doctor", *words)
    verdict = json.loads(newsletter("doctor", *words, "--json").stdout)
    assert [(each["check"], each["says"]) for each in verdict["findings"]] == ([("keys", says)] if says else [])
    assert (result.exit_code, verdict["verdict"]) == ((1, "wrong") if says else (0, "ok"))
    assert ("Restore the former NEWSLETTER_SECRET_KEYS" in result.stdout) is bool(says)
    assert "sss" not in result.stdout
    assert verdict["mended"] == []


def test_a_damaged_key_file_is_not_ok(newsletter, tmp_path):
    (tmp_path / "secret_key").write_text("short")
    result = newsletter("doctor")
    assert result.exit_code == 1
    assert "secret_key is damaged" in result.stdout


def test_a_relay_that_cannot_be_used_is_a_remark_with_the_remedy(newsletter, database):
    says = "the relay offers no STARTTLS. Use a relay with TLS, or the option tls=optional in NEWSLETTER_SMTP_URL"
    known = {"the relay mail.example.org:587": Condition(says, lasting=True)}
    NoticeWriter(database.writing).write(known, now=clock.now())
    result = newsletter("doctor")
    assert result.exit_code == 0
    assert f"relays: the relay mail.example.org:587: since {clock.now():%Y-%m-%d}" in result.stdout
    assert says in result.stdout
