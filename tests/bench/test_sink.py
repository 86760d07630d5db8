"""The sink writes down what really came, and what its callers were told agrees with it."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from newsletter.bench import book
from newsletter.bench.book import Arrival
from tests.processes import Process, running
from tests.servers.server import free_port, listens
from tests.waiting import eventually

LETTER = b"To: Anna <anna@example.org>\r\nMessage-ID:\r\n <1.x@press.example>\r\n\r\nHello.\r\n"


class Running:
    def __init__(self, process: Process, port: int, book: Path) -> None:
        self.process, self.port, self.book = process, port, book

    def arrivals(self) -> list[Arrival]:
        return list(book.read(self.book))

    @contextmanager
    def caller(self) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.ehlo("test")
            yield client


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Running]:
    port, path = free_port(), tmp_path / "arrivals.tsv"
    process = Process(
        "sink", ["python", "-m", "newsletter.bench.sink", "--port", str(port), "--book", str(path)], {}, tmp_path
    )
    with running(process):
        eventually(lambda: listens(port), within=20)
        yield Running(process, port, path)


def test_a_letter_is_written_down_with_its_envelope_and_its_names(sink):
    with sink.caller() as client:
        client.sendmail("letters@press.example", ["anna@example.org"], LETTER)
    (arrival,) = sink.arrivals()
    assert (arrival.fate, arrival.sender, arrival.recipient) == ("taken", "letters@press.example", "anna@example.org")
    assert (arrival.message_id, arrival.to, arrival.size) == ("<1.x@press.example>", "anna@example.org", len(LETTER))
    assert 0 < arrival.mail_at < arrival.end_at


def test_the_same_content_has_the_same_digest_and_another_has_not(sink):
    with sink.caller() as client:
        for letter in (LETTER, LETTER, LETTER + b".\r\nMore.\r\n", b""):
            client.sendmail("letters@press.example", ["anna@example.org"], letter)
    first, second, third, empty = sink.arrivals()
    assert first.digest == second.digest != third.digest
    assert empty.size <= 2


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_pipelined_groups_are_answered_in_order_however_they_are_cut(sink, step):
    group = b"MAIL FROM:<%d@press.example>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n"
    said = b"EHLO test\r\n" + group % 1 + LETTER + b".\r\n" + group % 2 + LETTER + b".\r\nQUIT\r\n"
    with socket.create_connection(("127.0.0.1", sink.port)) as caller:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(said), step):
            caller.sendall(said[at : at + step])
        heard = b""
        while piece := caller.recv(65_536):
            heard += piece
    codes = [line[:3] for line in heard.splitlines() if line[3:4] != b"-"]
    assert codes == [b"220", b"250", *[b"250", b"250", b"354", b"250"] * 2, b"221"]
    assert [arrival.sender for arrival in sink.arrivals()] == ["1@press.example", "2@press.example"]


def test_a_second_mail_in_an_open_transaction_is_refused_and_rset_closes_it(sink):
    with sink.caller() as client:
        assert client.docmd("MAIL FROM:<1@press.example>")[0] == 250
        assert client.docmd("MAIL FROM:<2@press.example>")[0] == 503
        assert client.docmd("RSET")[0] == 250
        assert client.docmd("MAIL FROM:<2@press.example>")[0] == 250


def test_told_to_end_it_finishes_the_letter_and_lets_nobody_begin_another(sink):
    with sink.caller() as client, sink.caller() as idle:
        client.docmd("MAIL FROM:<1@press.example>")
        client.docmd("RCPT TO:<anna@example.org>")
        assert client.docmd("DATA")[0] == 354
        sink.process.terminate()
        eventually(lambda: not listens(sink.port))
        assert idle.getreply()[0] == 421
        client.send(LETTER + b".\r\n")
        assert client.getreply()[0] == 250
        assert client.docmd("MAIL FROM:<2@press.example>")[0] == 421
    assert sink.process.wait() == 0
    assert [arrival.fate for arrival in sink.arrivals()] == ["taken"]
