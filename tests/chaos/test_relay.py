"""The test relay misbehaves as configured, and logs every mail transaction truthfully."""

import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.environment import RelayProcess
from tests.chaos.misbehavior import Misbehavior, RelayBehavior
from tests.chaos.relay_log import CUT, REFUSED, TAKEN
from tests.processes import running
from tests.servers.server import listens
from tests.waiting import TIMEOUT, eventually

LETTER = b"To: anna@example.org\r\nMessage-ID: <1@press.example>\r\n\r\nHello.\r\n"


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    relay = RelayProcess(tmp_path, seed=1)
    with running(relay.process):
        eventually(lambda: listens(relay.port))
        yield relay


@contextmanager
def connected(relay: RelayProcess) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP("127.0.0.1", relay.port, "test", timeout=TIMEOUT)
    client.ehlo()
    yield client
    client.close()


def send(client: smtplib.SMTP, letter: bytes = LETTER) -> tuple[int, bytes]:
    client.docmd("MAIL FROM:<letters@press.example>")
    client.docmd("RCPT TO:<anna@example.org>")
    assert client.docmd("DATA")[0] == 354
    client.send(letter + b".\r\n")
    return client.getreply()


def test_a_letter_is_logged_before_the_relay_replies(relay):
    with connected(relay) as client:
        assert send(client)[0] == 250
    (one,) = relay.arrivals()
    assert (one.outcome, one.reply_code, one.sender, one.recipient) == (
        TAKEN,
        250,
        "letters@press.example",
        "anna@example.org",
    )
    assert (one.message_id, one.to, one.octets) == ("<1@press.example>", "anna@example.org", len(LETTER))
    assert one.mail_at <= one.end_at <= time.monotonic()


def test_the_same_letter_has_the_same_digest_and_another_has_not(relay):
    with connected(relay) as client:
        for letter in (LETTER, LETTER, LETTER + b"P.S.\r\n"):
            send(client, letter)
    first, second, third = [one.digest for one in relay.arrivals()]
    assert first == second != third


def test_only_the_first_attempt_for_a_recipient_is_greylisted(relay):
    relay.misbehave(greylist=1)
    with connected(relay) as client:
        client.docmd("MAIL FROM:<letters@press.example>")
        assert client.docmd("RCPT TO:<anna@example.org>")[0] == 450
        assert client.docmd("MAIL FROM:<letters@press.example>")[0] == 503
        client.docmd("RSET")
        assert send(client)[0] == 250
    assert [(one.outcome, one.reply_code) for one in relay.arrivals()] == [(REFUSED, 450), (TAKEN, 250)]


def test_a_connection_dropped_after_the_dot_gets_no_reply(relay):
    relay.misbehave(drop=1)
    for _ in range(8):
        with connected(relay) as client, pytest.raises(smtplib.SMTPServerDisconnected):
            send(client)
    outcomes = {one.outcome for one in relay.arrivals() if one.reply_code == 0}
    assert outcomes == {TAKEN, CUT}, "both kinds occur"


def test_a_relay_that_is_away_refuses_connections_and_closes_open_ones(relay):
    with connected(relay) as idle, connected(relay) as busy:
        busy.docmd("MAIL FROM:<letters@press.example>")
        busy.docmd("RCPT TO:<anna@example.org>")
        assert busy.docmd("DATA")[0] == 354
        relay.misbehave(away=True)
        assert not listens(relay.port)
        assert idle.getreply()[0] == 421
        busy.send(LETTER + b".\r\n")
        assert busy.getreply()[0] == 250
        assert busy.getreply()[0] == 421
    relay.misbehave()
    with connected(relay) as client:
        assert send(client)[0] == 250


def test_a_storm_replies_421_and_closes_the_connection(relay):
    relay.misbehave(storm=1)
    with pytest.raises(smtplib.SMTPConnectError, match="421"):
        smtplib.SMTP("127.0.0.1", relay.port, "test")


def test_a_slow_connection_is_read_an_octet_a_second_and_no_other_is(relay):
    relay.misbehave(slow=1, slow_for=1.5)
    with connected(relay) as client:
        client.docmd("MAIL FROM:<letters@press.example>")
        client.docmd("RCPT TO:<anna@example.org>")
        begun = time.monotonic()
        client.docmd("DATA")
        client.send(LETTER + b".\r\n")
        try:
            assert client.getreply()[0] == 250
        except smtplib.SMTPServerDisconnected:
            assert [one.outcome for one in relay.arrivals()] == [CUT]
        assert time.monotonic() - begun >= 1.5


def test_a_forgotten_letter_gets_250_but_is_not_logged(relay):
    relay.misbehave(forget=1)
    with connected(relay) as client:
        assert send(client)[0] == 250
    assert relay.arrivals() == []


def test_what_happens_to_a_letter_depends_on_the_seed_alone():
    first, second, other = RelayBehavior(1), RelayBehavior(1), RelayBehavior(2)
    letters = [f"reader{number}@crowd.example" for number in range(1000)]
    happens = [first.happens(0.1, "drop", letter) for letter in letters]
    assert happens == [second.happens(0.1, "drop", letter) for letter in letters]
    assert happens != [other.happens(0.1, "drop", letter) for letter in letters]
    assert 50 < sum(happens) < 150
    assert not any(first.happens(Misbehavior().drop, "drop", letter) for letter in letters)
