"""Postfix's smtp-sink: a real SMTP server that accepts every letter and writes it to a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import NamedTuple

import pytest

from newsletter.bench.servers import postfix
from tests.servers.missing_servers import missing
from tests.servers.server import ServerError, folder_for, free_port


class Letter(NamedTuple):
    """A letter as transmitted."""

    sender: str
    recipients: list[str]
    source: bytes  # header and body, lines ended by \n

    @property
    def is_whole(self) -> bool:
        """Whether the sink has written all of it; only a multipart letter shows that."""
        boundary = self.message.get_boundary()
        return boundary is None or self.source.rstrip().endswith(f"--{boundary}--".encode())

    @property
    def message(self) -> EmailMessage:
        return BytesParser(policy=default).parsebytes(self.source)


class SmtpSink:
    """A running smtp-sink."""

    def __init__(self, port: int, folder: Path) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.url = f"smtp://127.0.0.1:{port}"
        self._folder = folder

    def letters(self) -> list[Letter]:
        """Return the complete letters in no particular order, because the file names are random."""
        letters = [_read(dump.read_bytes()) for dump in self._folder.glob("letter.*")]
        return [letter for letter in letters if letter and letter.is_whole]

    def messages(self) -> list[EmailMessage]:
        """Return the complete letters, parsed."""
        return [letter.message for letter in self.letters()]


def _read(dump: bytes) -> Letter | None:
    # smtp-sink writes its own records first; the last of them is a Received field of three lines.
    lines = dump.split(b"\n")
    received = next((number for number, line in enumerate(lines) if line.startswith(b"Received: ")), None)
    if received is None:
        return None
    records = [line.decode().split(": ", 1) for line in lines[:received]]
    senders = [_address(value) for name, value in records if name == "X-Mail-Args"]
    recipients = [_address(value) for name, value in records if name == "X-Rcpt-Args"]
    return Letter(senders[0], recipients, b"\n".join(lines[received + 3 :]).removesuffix(b"\n"))


def _address(arguments: str) -> str:
    return arguments.partition("<")[2].partition(">")[0]


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A real SMTP server for one test."""
    with running_sink() as sink:
        yield sink


@contextmanager
def running_sink() -> Iterator[SmtpSink]:
    """Run an smtp-sink during the block."""
    port, folder = free_port(), folder_for(postfix.USER)
    try:
        server = postfix.sink(port, "-d", folder / "letter.", folder=folder)
    except ServerError as error:
        missing("smtp-sink", str(error))
    yield SmtpSink(port, folder)
    server.stop()
