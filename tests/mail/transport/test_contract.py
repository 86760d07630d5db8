"""The Postman contract, on everyone who answers to it."""

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


class ByOutbox:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transport: Transport = Outbox(folder, clock=lambda: NOON)

    def arrived(self) -> list[Arrived]:
        files = sorted(self.folder.glob("new/*"), key=lambda file: file.stat().st_mtime_ns)
        return [self._read(file.read_bytes()) for file in files]

    def _read(self, source: bytes) -> Arrived:
        sender, recipient, body = source.split(b"\r\n", 2)
        return Arrived(sender[14:-1].decode(), recipient[14:].decode(), body)


class BySmtp:
    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        relay = Relay(host=server.host, port=server.port, connections=1)  # so that they arrive in their order
        self.transport: Transport = SmtpTransport(relay, ehlo_name="news.example", clock=lambda: NOON)

    def arrived(self) -> list[Arrived]:
        return [Arrived(letter.sender, letter.recipients[0], letter.body) for letter in self.server.letters]


@pytest.fixture(params=["outbox", "smtp"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ByOutbox | BySmtp]:
    if request.param == "outbox":
        yield ByOutbox(tmp_path / "outbox")
    else:
        with ScriptedServer() as server:
            way = BySmtp(server)
            yield way
            way.transport.close()


def a_parcel(delivery: int = 1, **changes) -> Message:
    message = Message(
        delivery=delivery,
        attempt=1,
        sender=f"b-{delivery}@bounces.example",
        recipient=f"reader-{delivery}@example.org",
        body=[LETTER],
        begin_by=time.monotonic() + 60,
    )
    return message._replace(**changes)


def carry(way: ByOutbox | BySmtp, *messages: Message) -> list[Result]:
    reports: list[Result] = []
    way.transport.carry(iter(messages), reports.append, stop=lambda: False)
    return reports


def test_each_parcel_gets_one_report_and_arrives_in_its_own_envelope(way):
    reports = carry(way, a_parcel(1), a_parcel(2, attempt=3), a_parcel(3))
    assert [(report.delivery, report.attempt, report.outcome) for report in reports] == [
        (1, 1, Outcome.TAKEN),
        (2, 3, Outcome.TAKEN),
        (3, 1, Outcome.TAKEN),
    ]
    assert {report.at for report in reports} == {NOON}
    assert way.arrived() == [
        Arrived(f"b-{delivery}@bounces.example", f"reader-{delivery}@example.org", LETTER) for delivery in (1, 2, 3)
    ]


def test_nothing_to_carry_is_no_trouble(way):
    assert carry(way) == []


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
def test_a_letter_arrives_byte_for_byte(way, text):
    body = b"Subject: Hello\r\n\r\n" + text
    carry(way, a_parcel(body=[body]))
    assert way.arrived()[0].body == body


def test_a_letter_may_begin_with_a_dot(way):
    carry(way, a_parcel(body=[b".X: odd\r\n\r\n.\r\n"]))
    assert way.arrived()[0].body == b".X: odd\r\n\r\n.\r\n"


def test_a_letter_may_come_in_pieces(way):
    carry(way, a_parcel(body=[b"Subject: He", b"llo\r\n", memoryview(b"\r\n."), b"", b".\r\n"]))
    assert way.arrived()[0].body == b"Subject: Hello\r\n\r\n..\r\n"


def test_a_repeat_arrives_as_the_same_bytes(way):
    reports = carry(way, a_parcel(), a_parcel(attempt=2))
    assert [(report.attempt, report.outcome) for report in reports] == [(1, Outcome.TAKEN), (2, Outcome.TAKEN)]
    assert set(way.arrived()) == {Arrived("b-1@bounces.example", "reader-1@example.org", LETTER)}


def test_a_parcel_that_comes_too_late_goes_back_untouched_and_the_others_go_on(way):
    reports = carry(way, a_parcel(1), a_parcel(2, begin_by=time.monotonic() - 1), a_parcel(3))
    assert [report.outcome for report in reports] == [Outcome.TAKEN, Outcome.UNTOUCHED, Outcome.TAKEN]
    assert [letter.recipient for letter in way.arrived()] == ["reader-1@example.org", "reader-3@example.org"]


def test_when_it_is_to_stop_nothing_more_is_pulled(way):
    reports: list[Result] = []
    messages = iter([a_parcel(number) for number in range(10)])
    way.transport.carry(messages, reports.append, stop=lambda: len(reports) >= 2)
    rest = [message.delivery for message in messages]
    assert [report.delivery for report in reports] + rest == list(range(10)), "what was pulled is reported"
    assert len(rest) >= 7, "at most the one that was on its way is carried to its end"


def test_when_it_is_to_stop_at_once_nothing_is_pulled(way):
    messages = iter([a_parcel()])
    way.transport.carry(messages, pytest.fail, stop=lambda: True)
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
def test_an_address_that_fits_no_envelope_is_refused_and_the_others_go_on(way, recipient):
    reports = carry(way, a_parcel(1, recipient=recipient), a_parcel(2))
    assert [report.outcome for report in reports] == [Outcome.REFUSED, Outcome.TAKEN]
    assert reports[0].reply.status == "5.1.3"
    assert [letter.recipient for letter in way.arrived()] == ["reader-2@example.org"]


@pytest.mark.parametrize("sender", ["b@x>\r\nDATA", "größe@bounces.example", ""])
def test_a_sender_that_fits_no_envelope_is_not_the_readers_fault(way, sender):
    reports = carry(way, a_parcel(1, sender=sender), a_parcel(2))
    assert [report.outcome for report in reports] == [Outcome.LATER, Outcome.TAKEN]
    assert reports[0].reply.status == "5.1.7"


def test_what_was_pulled_is_reported_even_when_the_next_cannot_be_had(way):
    def broken() -> Iterator[Message]:
        yield a_parcel()
        raise LookupError("the database is away")

    reports: list[Result] = []
    with pytest.raises(LookupError):
        way.transport.carry(broken(), reports.append, stop=lambda: False)
    assert [report.outcome for report in reports] == [Outcome.TAKEN]
