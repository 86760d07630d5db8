"""The recording sink records each letter once with its own envelope, however the bytes are split over reads."""

import smtplib
import subprocess
import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.bench.recording_sink import Dialogue, recorded_letters
from tests.servers.server import free_port, listens
from tests.waiting import TIMEOUT, eventually

LETTERS = [
    b"Message-ID: <1@news.example>\r\nSubject: A\r\n\r\nOne\r\n..dot\r\n",
    b"Subject: B\r\nmessage-id:\r\n <2@news.example>\r\n\r\nmessage-id: <no@news.example>\r\n",
    b"Subject: none\r\n\r\n",
    b"",
]


class FakeTransport:
    """An asyncio transport that keeps what is written."""

    def __init__(self):
        self.written = b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return False


def converse(pieces):
    letters = []
    dialogue, transport = Dialogue(letters.append), FakeTransport()
    dialogue.connection_made(transport)
    for piece in pieces:
        dialogue.data_received(piece)
    return letters, transport.written


def envelope(number):
    return b"MAIL FROM:<s%d@news.example> SIZE=9\r\nRCPT TO:<r%d@mail.example>\r\nDATA\r\n" % (number, number)


SESSION = b"EHLO news.example\r\n" + b"".join(
    envelope(number) + letter + b".\r\n" for number, letter in enumerate(LETTERS, 1)
)


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_every_letter_is_recorded_once_however_the_bytes_are_split(cuts):
    edges = [0, *sorted(cuts), len(SESSION)]
    letters, replies = converse(SESSION[start:end] for start, end in pairwise(edges))
    assert [(letter.sender, letter.recipients, letter.message_id, letter.octets) for letter in letters] == [
        (f"s{number}@news.example", (f"r{number}@mail.example",), message_id, len(letter))
        for number, (message_id, letter) in enumerate(
            zip(["<1@news.example>", "<2@news.example>", "", ""], LETTERS, strict=True), 1
        )
    ]
    assert replies.count(b"250 2.0.0 ") == replies.count(b"354 ") == len(LETTERS)


def test_rset_discards_the_whole_transaction():
    letters, replies = converse(
        [envelope(1)[:-6] + b"RSET\r\nDATA\r\nRCPT TO:<a@b.example>\r\n" + envelope(2) + b"x\r\n.\r\n"]
    )
    assert [(letter.sender, letter.recipients) for letter in letters] == [("s2@news.example", ("r2@mail.example",))]
    assert replies.count(b"503 ") == 2


def test_the_process_logs_what_a_client_sent(tmp_path):
    port, log = free_port(), tmp_path / "letters"
    command = [sys.executable, "-m", "newsletter.bench.recording_sink", "--port", str(port), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
        assert eventually(lambda: listens(port))
        with smtplib.SMTP("127.0.0.1", port) as relay:
            relay.sendmail("bounces@news.example", ["a@mail.example", "b@mail.example"], LETTERS[0])
        sink.terminate()
        assert sink.wait(TIMEOUT) == 0
        assert sink.stdout.read() == "mesg=1\n"
    (letter,) = recorded_letters(log)
    assert letter.recipients == ("a@mail.example", "b@mail.example")
    assert letter.message_id == "<1@news.example>"
    assert letter.mail_at <= letter.taken_at
