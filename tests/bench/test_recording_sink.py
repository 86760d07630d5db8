"""The sink that remembers: whatever way the bytes are cut, each letter is noted once, with its own envelope."""

import smtplib
import subprocess
import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.bench.recording_sink import Dialogue, recorded_letters
from tests.servers.server import free_port, listens
from tests.waiting import eventually

LETTERS = [
    b"Message-ID: <1@news.example>\r\nSubject: A\r\n\r\nOne\r\n..dot\r\n",
    b"Subject: B\r\nmessage-id:\r\n <2@news.example>\r\n\r\nmessage-id: <no@news.example>\r\n",
    b"Subject: none\r\n\r\n",
    b"",
]


class Wire:
    """The connection's other end."""

    def __init__(self):
        self.said = b""

    def write(self, data):
        self.said += data

    def is_closing(self):
        return False


def talk(pieces):
    letters = []
    dialogue, wire = Dialogue(letters.append), Wire()
    dialogue.connection_made(wire)
    for piece in pieces:
        dialogue.data_received(piece)
    return letters, wire.said


def envelope(number):
    return b"MAIL FROM:<s%d@news.example> SIZE=9\r\nRCPT TO:<r%d@mail.example>\r\nDATA\r\n" % (number, number)


SPOKEN = b"EHLO news.example\r\n" + b"".join(
    envelope(number) + letter + b".\r\n" for number, letter in enumerate(LETTERS, 1)
)


@given(st.lists(st.integers(0, len(SPOKEN)), max_size=12))
def test_every_letter_is_noted_once_wherever_the_bytes_are_cut(cuts):
    edges = [0, *sorted(cuts), len(SPOKEN)]
    letters, said = talk(SPOKEN[start:end] for start, end in pairwise(edges))
    assert [(letter.sender, letter.recipients, letter.message_id, letter.octets) for letter in letters] == [
        (f"s{number}@news.example", (f"r{number}@mail.example",), message_id, len(letter))
        for number, (message_id, letter) in enumerate(
            zip(["<1@news.example>", "<2@news.example>", "", ""], LETTERS, strict=True), 1
        )
    ]
    assert said.count(b"250 2.0.0 ") == said.count(b"354 ") == len(LETTERS)


def test_nothing_is_left_of_a_transaction_that_was_reset():
    letters, said = talk(
        [envelope(1)[:-6] + b"RSET\r\nDATA\r\nRCPT TO:<a@b.example>\r\n" + envelope(2) + b"x\r\n.\r\n"]
    )
    assert [(letter.sender, letter.recipients) for letter in letters] == [("s2@news.example", ("r2@mail.example",))]
    assert said.count(b"503 ") == 2


def test_as_a_process_it_writes_down_what_a_client_sent(tmp_path):
    port, notes = free_port(), tmp_path / "notes"
    command = [sys.executable, "-m", "newsletter.bench.recording_sink", "--port", str(port), "--log", str(notes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
        assert eventually(lambda: listens(port), within=20)
        with smtplib.SMTP("127.0.0.1", port) as relay:
            relay.sendmail("bounces@news.example", ["a@mail.example", "b@mail.example"], LETTERS[0])
        sink.terminate()
        assert sink.wait(20) == 0
        assert sink.stdout.read() == "mesg=1\n"
    (letter,) = recorded_letters(notes)
    assert letter.recipients == ("a@mail.example", "b@mail.example")
    assert letter.message_id == "<1@news.example>"
    assert letter.mail_at <= letter.taken_at
