"""`newsletter doctor domain`: the DNS checks, the probe letter, and the verdicts on a received letter."""

import json

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from newsletter.audit_log import AuditEntry
from newsletter.cli.app import app
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.letters.letters import Letter, LetterKind
from tests.doctor.domains.keys import RSA_2048
from tests.doctor.domains.test_received import letter
from tests.whole_service import SECRET


@pytest.fixture
def correct_zone(zone):
    """A DNS server on which every record of the newsletter's domain is correct."""
    zone.put("press.example", TXT="v=spf1 ip4:192.0.2.25 -all", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="192.0.2.1")
    zone.put("s1._domainkey.press.example", TXT=f"v=DKIM1; p={RSA_2048}")
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=reject; rua=mailto:reports@press.example")
    return zone


@pytest.fixture
def domain(newsletter, zone):
    """Run the command with the test's DNS server and return the result."""
    return lambda *words: newsletter("doctor", "domain", *words, "--nameserver", f"127.0.0.1:{zone.port}")


def test_a_domain_with_correct_records_is_ok(domain, correct_zone):
    result = domain("three", "--selector", "s1")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "ok       spf            press.example: one record, 0 of 10 DNS lookups"
    verdict = json.loads(domain("three", "--json").stdout)
    assert verdict["verdict"] == "ok"
    assert {each["check"]: each["level"] for each in verdict["checks"]} == {
        "spf": "ok",
        "spf-relay": "unknown",
        "dkim": "ok",
        "dmarc": "ok",
        "alignment": "ok",
        "mx": "ok",
    }


def test_a_wrong_record_is_shown_as_found_with_the_one_to_publish(domain, correct_zone):
    correct_zone.remove("_dmarc.press.example")
    correct_zone.put("press.example", TXT="v=spf1 +all")
    result = domain("three", "--selector", "s1")
    assert result.exit_code == 1
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["found", "v=spf1 +all"] in lines
    assert ["publish", "_dmarc.press.example  v=DMARC1; p=none; rua=mailto:postmaster@press.example"] in lines


def test_the_relays_address_is_checked_against_spf(domain, correct_zone, monkeypatch):
    correct_zone.put("mail.relay.example", A="192.0.2.25")
    monkeypatch.setenv("NEWSLETTER_SMTP_URL", "smtp://user:secret@mail.relay.example:587")
    result = domain("three", "--selector", "s1")
    assert "192.0.2.25 of mail.relay.example may send for it" in result.stdout
    assert "secret" not in result.stdout


def test_every_check_is_unknown_if_the_dns_server_fails(domain, correct_zone):
    correct_zone.failing |= {*correct_zone.names, "default._domainkey.press.example"}
    result = domain()
    assert result.exit_code == 1
    *checks, last = result.stdout.splitlines()
    assert {line.split()[0] for line in checks} == {"unknown"}
    assert last.startswith("No DNS query was answered")
    assert json.loads(domain("--json").stdout)["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("url", "level"),
    [("http://letters.example.org", "wrong"), ("https://letters.example.org", None), ("http://localhost:8000", None)],
)
def test_a_public_address_without_https_is_wrong(domain, correct_zone, monkeypatch, url, level):
    monkeypatch.setenv("NEWSLETTER_BASE_URL", url)
    result = domain("three", "--selector", "s1")
    assert result.exit_code == (1 if level else 0)
    assert [line.split()[:3] for line in result.stdout.splitlines() if "base-url" in line] == (
        [[level, "base-url", f"{url}:"]] if level else []
    )
    assert ("HTTPS" in result.stdout) is bool(level)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://u:secret@mail.relay.example", None),
        ("smtps://u:secret@mail.relay.example", None),
        ("smtp://127.0.0.1", None),
        ("smtp://mail.relay.example?tls=optional", "letters can be read on the way"),
        ("smtp://u:secret@mail.relay.example?tls=optional", "letters can be read on the way"),
        ("smtp://u:secret@mail.relay.example?tls=optional&login=cleartext", "letters and the password can be read"),
    ],
)
def test_a_relay_that_may_be_used_without_tls_is_told(domain, correct_zone, monkeypatch, url, says):
    correct_zone.put("mail.relay.example", A="192.0.2.25")
    monkeypatch.setenv("NEWSLETTER_SMTP_URL", url)
    told = [line for line in domain("three", "--selector", "s1").stdout.splitlines() if line.split()[1] == "tls"]
    assert len(told) == (1 if says else 0)
    assert all(line.startswith("advice ") and says in line and "secret" not in line for line in told)


def test_an_invalid_nameserver_is_a_usage_error(newsletter):
    for invalid in ("press", "127.0.0.1:port", "127.0.0.1:99999999"):
        assert newsletter("doctor", "domain", "three", "--nameserver", invalid).exit_code == 2


def test_an_unknown_newsletter_is_refused(domain, zone):
    assert domain("four").exit_code == 1


def test_a_probe_is_queued_like_every_letter(newsletter, database, monkeypatch, tmp_path):
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", SECRET)
    result = newsletter("doctor", "domain", "three", "--probe", "me@Example.org")
    assert result.exit_code == 0
    assert "newsletter doctor domain three --read probe.eml" in result.stdout
    with database.reading() as session:
        written, owed = session.scalars(select(Letter)).one(), session.scalars(select(Delivery)).one()
        assert (written.kind, written.audience, owed.recipient) == (LetterKind.TEST, 1, "me@example.org")
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (entry.verb, entry.subject, entry.fields) == ("probe written", "newsletter:three", {})


def test_a_probe_without_a_valid_address_or_a_newsletter_is_refused(newsletter, failed):
    assert newsletter("doctor", "domain", "--probe", "me@example.org").exit_code == 2
    code, errors = failed("doctor", "domain", "three", "--probe", "me")
    assert code == 1
    assert errors.startswith("--probe: ")


def test_a_received_letter_is_judged(domain, correct_zone, tmp_path):
    (tmp_path / "probe.eml").write_bytes(letter())
    result = domain("--read", str(tmp_path / "probe.eml"))
    assert result.exit_code == 0
    assert "s1._domainkey.press.example: an RSA key of 2048 bits" in result.stdout
    (tmp_path / "probe.eml").write_bytes(letter(covers="From:To:Subject:Date"))
    result = domain("--read", str(tmp_path / "probe.eml"), "--json")
    assert result.exit_code == 1
    wrong = [each for each in json.loads(result.stdout)["checks"] if each["level"] == "wrong"]
    assert [each["check"] for each in wrong] == ["signed-headers"]


def test_a_file_that_is_missing_or_not_a_letter_is_refused(domain, failed, zone, tmp_path):
    (tmp_path / "notes.txt").write_text("Hello\n")
    assert domain("--read", str(tmp_path / "notes.txt")).exit_code == 1
    assert failed("doctor", "domain", "--read", "/nowhere.eml") == (1, "/nowhere.eml: No such file or directory\n")


def test_a_received_letter_is_read_from_a_pipe(correct_zone):
    words = ["doctor", "domain", "--read", "-", "--nameserver", f"127.0.0.1:{correct_zone.port}"]
    assert CliRunner().invoke(app, words, input=letter()).exit_code == 0


def test_control_characters_of_a_foreign_record_do_not_reach_the_terminal(domain, correct_zone):
    correct_zone.put("_dmarc.press.example", TXT="v=DMARC1; p=none; x=\x1b]0;gotcha\x07")
    result = domain("three", "--selector", "s1")
    assert "gotcha" in result.stdout
    assert not {"\x1b", "\x07"} & set(result.stdout)
