"""`newsletter doctor domain`: the checks, the probe letter, and what a received one says."""

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
def well(zone):
    """A DNS in which all is well with the newsletter's domain."""
    zone.put("press.example", TXT="v=spf1 ip4:192.0.2.25 -all", MX="10 mail.press.example.")
    zone.put("mail.press.example", A="192.0.2.1")
    zone.put("s1._domainkey.press.example", TXT=f"v=DKIM1; p={RSA_2048}")
    zone.put("_dmarc.press.example", TXT="v=DMARC1; p=reject; rua=mailto:reports@press.example")
    return zone


@pytest.fixture
def domain(newsletter, zone):
    """Run the command with the test's DNS; its result."""
    return lambda *words: newsletter("doctor", "domain", *words, "--nameserver", f"127.0.0.1:{zone.port}")


def test_a_domain_where_all_is_well(domain, well):
    done = domain("three", "--selector", "s1")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "ok       spf            press.example: one record, 0 of 10 DNS lookups"
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


def test_what_is_wrong_is_said_with_the_record_as_found_and_the_one_to_publish(domain, well):
    well.take("_dmarc.press.example")
    well.put("press.example", TXT="v=spf1 +all")
    done = domain("three", "--selector", "s1")
    assert done.exit_code == 1
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["found", "v=spf1 +all"] in lines
    assert ["publish", "_dmarc.press.example  v=DMARC1; p=none; rua=mailto:postmaster@press.example"] in lines


def test_the_relay_is_asked_about(domain, well, monkeypatch):
    well.put("mail.relay.example", A="192.0.2.25")
    monkeypatch.setenv("NEWSLETTER_SMTP_URL", "smtp://user:secret@mail.relay.example:587")
    done = domain("three", "--selector", "s1")
    assert "192.0.2.25 of mail.relay.example may send for it" in done.stdout
    assert "secret" not in done.stdout


def test_a_dns_that_fails_calls_nothing_wrong_and_nothing_right(domain, well):
    well.failing |= {*well.names, "default._domainkey.press.example"}
    done = domain()
    assert done.exit_code == 1
    *checks, last = done.stdout.splitlines()
    assert {line.split()[0] for line in checks} == {"unknown"}
    assert last.startswith("Nothing could be asked")
    assert json.loads(domain("--json").stdout)["verdict"] == "unknown"


def test_a_nameserver_that_is_none(newsletter):
    for wrong in ("press", "127.0.0.1:port", "127.0.0.1:99999999"):
        assert newsletter("doctor", "domain", "three", "--nameserver", wrong).exit_code == 2


def test_a_newsletter_that_is_not_there(domain, zone):
    assert domain("four").exit_code == 1


def test_a_probe_goes_the_way_of_every_letter(newsletter, database, monkeypatch, tmp_path):
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", SECRET)
    done = newsletter("doctor", "domain", "three", "--probe", "me@Example.org")
    assert done.exit_code == 0
    assert "newsletter doctor domain three --read probe.eml" in done.stdout
    with database.reading() as session:
        written, owed = session.scalars(select(Letter)).one(), session.scalars(select(Delivery)).one()
        assert (written.kind, written.audience, owed.recipient) == (LetterKind.TEST, 1, "me@example.org")
        act = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (act.verb, act.subject, act.fields) == ("probe written", "newsletter:three", {})


def test_a_probe_is_refused_where_there_is_no_address_or_no_newsletter(newsletter, told):
    assert newsletter("doctor", "domain", "--probe", "me@example.org").exit_code == 2
    code, said = told("doctor", "domain", "three", "--probe", "me")
    assert code == 1
    assert said.startswith("--probe: ")


def test_a_received_letter_is_read(domain, well, tmp_path):
    (tmp_path / "probe.eml").write_bytes(letter())
    done = domain("--read", str(tmp_path / "probe.eml"))
    assert done.exit_code == 0
    assert "s1._domainkey.press.example: an RSA key of 2048 bits" in done.stdout
    (tmp_path / "probe.eml").write_bytes(letter(covers="From:To:Subject:Date"))
    done = domain("--read", str(tmp_path / "probe.eml"), "--json")
    assert done.exit_code == 1
    wrong = [each for each in json.loads(done.stdout)["checks"] if each["level"] == "wrong"]
    assert [each["check"] for each in wrong] == ["signed-headers"]


def test_what_is_no_letter_and_what_is_not_there_is_said(domain, told, zone, tmp_path):
    (tmp_path / "notes.txt").write_text("Hello\n")
    assert domain("--read", str(tmp_path / "notes.txt")).exit_code == 1
    assert told("doctor", "domain", "--read", "/nowhere.eml") == (1, "/nowhere.eml: No such file or directory\n")


def test_a_received_letter_is_read_from_a_pipe(well):
    words = ["doctor", "domain", "--read", "-", "--nameserver", f"127.0.0.1:{well.port}"]
    assert CliRunner().invoke(app, words, input=letter()).exit_code == 0


def test_what_strangers_wrote_does_not_reach_the_terminal_as_it_is(domain, well):
    well.put("_dmarc.press.example", TXT="v=DMARC1; p=none; x=\x1b]0;gotcha\x07")
    done = domain("three", "--selector", "s1")
    assert "gotcha" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout)
