"""The Transport contract, for the outbox and for SMTP."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from newsletter.mail.transport.outbox import Outbox
from newsletter.mail.transport.smtp.smtp_transport import SmtpTransport
from newsletter.mail.transport.transport import Message, Outcome, Result, Transport
from newsletter.relays import Relay
from tests.clock import NOON
from tests.smtp_server import ScriptedServer

LETTER = b"Subject: Hello\r\n\r\nHello\r\n"


class Arrived(NamedTuple):
    sender: str
    recipient: str
    body: bytes


class OutboxTarget:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transport: Transport = Outbox(folder, clock=lambda: NOON)

    def arrived(self) -> list[Arrived]:
        files = sorted(self.folder.glob("new/*"), key=lambda file: file.stat().st_mtime_ns)
        return [self._read(file.read_bytes()) for file in files]

    def _read(self, source: bytes) -> Arrived:
        sender, recipient, body = source.split(b"\r\n", 2)
        return Arrived(sender[14:-1].decode(), recipient[14:].decode(), body)


class SmtpTarget:
    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        relay = Relay(host=server.host, port=server.port, connections=1)  # so that letters arrive in order
        self.transport: Transport = SmtpTransport(relay, ehlo_name="news.example", clock=lambda: NOON)

    def arrived(self) -> list[Arrived]:
        return [Arrived(letter.sender, letter.recipients[0], letter.body) for letter in self.server.letters]


@pytest.fixture(params=["outbox", "smtp"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OutboxTarget | SmtpTarget]:
    if request.param == "outbox":
        yield OutboxTarget(tmp_path / "outbox")
    else:
        with ScriptedServer() as server:
            target = SmtpTarget(server)
            yield target
            target.transport.close()


def a_message(delivery: int = 1, **changes) -> Message:
    message = Message(
        delivery=delivery,
        attempt=1,
        sender=f"b-{delivery}@bounces.example",
        recipient=f"reader-{delivery}@example.org",
        body=[LETTER],
        begin_by=time.monotonic() + 60,
    )
    return message._replace(**changes)


def send(target: OutboxTarget | SmtpTarget, *messages: Message) -> list[Result]:
    results: list[Result] = []
    target.transport.send(iter(messages), results.append, stop=lambda: False)
    return results


def test_each_message_gets_one_result_and_arrives_in_its_own_envelope(target):
    results = send(target, a_message(1), a_message(2, attempt=3), a_message(3))
    assert [(result.delivery, result.attempt, result.outcome) for result in results] == [
        (1, 1, Outcome.TAKEN),
        (2, 3, Outcome.TAKEN),
        (3, 1, Outcome.TAKEN),
    ]
    assert {result.at for result in results} == {NOON}
    assert target.arrived() == [
        Arrived(f"b-{delivery}@bounces.example", f"reader-{delivery}@example.org", LETTER) for delivery in (1, 2, 3)
    ]


def test_sending_no_message_is_no_problem(target):
    assert send(target) == []


@pytest.mark.parametrize(
    "text",
    [
        b".\r\n",
        b"..\r\n.\r\n.a\r\n",
        b"\r\n\r\n.\r\n",
        b"QUIT\r\nRSET\r\n",
        b"a" * 990 + b"\r\n",
        b"one\r\n" * 20_000,
        b"tab\t blank \r\n",
        "Grüße".encode() + b"\r\n",
    ],
    ids=["dot", "dots", "lines", "commands", "long line", "long letter", "blanks", "eight bits"],
)
def test_a_letter_arrives_byte_for_byte(target, text):
    body = b"Subject: Hello\r\n\r\n" + text
    send(target, a_message(body=[body]))
    assert target.arrived()[0].body == body


def test_a_letter_may_begin_with_a_dot(target):
    send(target, a_message(body=[b".X: odd\r\n\r\n.\r\n"]))
    assert target.arrived()[0].body == b".X: odd\r\n\r\n.\r\n"


def test_a_letter_may_be_given_in_segments(target):
    send(target, a_message(body=[b"Subject: He", b"llo\r\n", memoryview(b"\r\n."), b"", b".\r\n"]))
    assert target.arrived()[0].body == b"Subject: Hello\r\n\r\n..\r\n"


def test_a_repeat_arrives_as_the_same_bytes(target):
    results = send(target, a_message(), a_message(attempt=2))
    assert [(result.attempt, result.outcome) for result in results] == [(1, Outcome.TAKEN), (2, Outcome.TAKEN)]
    assert set(target.arrived()) == {Arrived("b-1@bounces.example", "reader-1@example.org", LETTER)}


def test_a_message_past_its_begin_by_stays_untouched_and_the_others_are_sent(target):
    results = send(target, a_message(1), a_message(2, begin_by=time.monotonic() - 1), a_message(3))
    assert [result.outcome for result in results] == [Outcome.TAKEN, Outcome.UNTOUCHED, Outcome.TAKEN]
    assert [letter.recipient for letter in target.arrived()] == ["reader-1@example.org", "reader-3@example.org"]


def test_after_stop_no_further_message_is_taken(target):
    results: list[Result] = []
    messages = iter([a_message(number) for number in range(10)])
    target.transport.send(messages, results.append, stop=lambda: len(results) >= 2)
    rest = [message.delivery for message in messages]
    assert [result.delivery for result in results] + rest == list(range(10)), "each message taken has a result"
    assert len(rest) >= 7, "at most the one under way is still sent"


def test_if_stop_is_true_from_the_start_no_message_is_taken(target):
    messages = iter([a_message()])
    target.transport.send(messages, pytest.fail, stop=lambda: True)
    assert len(list(messages)) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "a@b.example>\r\nRCPT TO:<c@d.example",
        "a b@example.org",
        "a\0@example.org",
        "<a@b.example>",
        "",
        "\ud800@b.example",
    ],
)
def test_an_address_that_is_invalid_in_an_envelope_is_refused_and_the_others_are_sent(target, recipient):
    results = send(target, a_message(1, recipient=recipient), a_message(2))
    assert [result.outcome for result in results] == [Outcome.REFUSED, Outcome.TAKEN]
    assert results[0].reply.status == "5.1.3"
    assert [letter.recipient for letter in target.arrived()] == ["reader-2@example.org"]


@pytest.mark.parametrize("sender", ["b@x>\r\nDATA", "größe@bounces.example", ""])
def test_a_sender_that_is_invalid_in_an_envelope_is_not_the_recipients_fault(target, sender):
    results = send(target, a_message(1, sender=sender), a_message(2))
    assert [result.outcome for result in results] == [Outcome.LATER, Outcome.TAKEN]
    assert results[0].reply.status == "5.1.7"


def test_messages_taken_have_results_even_if_taking_the_next_one_fails(target):
    def broken() -> Iterator[Message]:
        yield a_message()
        raise LookupError("the database is away")

    results: list[Result] = []
    with pytest.raises(LookupError):
        target.transport.send(broken(), results.append, stop=lambda: False)
    assert [result.outcome for result in results] == [Outcome.TAKEN]
