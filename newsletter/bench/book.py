"""The book of a sink: what it saw, a line for each mail transaction."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEAD = 65_536  # bytes of a letter in which its header ends
FOLD = re.compile(rb"\r\n[ \t]+")
FIELDS = re.compile(rb"^(message-id|to):[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class Arrival(NamedTuple):
    """One mail transaction. `fate` is what became of it here, whatever its sender was told."""

    fate: str  # taken; refused; cut: it has not come to its end
    connection: int
    mail_at: float  # when MAIL FROM was read
    end_at: float  # when its fate was decided
    sender: str
    recipient: str
    message_id: str
    to: str  # the address in the header
    digest: str  # SHA-256 of the content as it came over the wire
    size: int  # bytes of it


class Book:
    """Where arrivals are written down: whole lines, appended."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, arrivals: list[Arrival]) -> None:
        """Hand them to the system, which keeps them whatever becomes of this process."""
        os.write(self._file, "".join(map(_line, arrivals)).encode())

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


def _line(arrival: Arrival) -> str:
    return "\t".join(map(str, arrival)) + "\n"


def read(path: Path) -> Iterator[Arrival]:
    """What a book says so far; a line that is still being written is left for the next reading."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                fate, connection, mail_at, end_at, sender, recipient, *letter, size = line[:-1].split("\t")
                message_id, to, digest = letter
                times = float(mail_at), float(end_at)
                yield Arrival(fate, int(connection), *times, sender, recipient, message_id, to, digest, int(size))


def head(content: bytes) -> tuple[str, str]:
    """A letter's Message-ID, and the address in its To."""
    end = content.find(b"\r\n\r\n", 0, HEAD)
    fields = {
        name.lower(): value.strip() for name, value in FIELDS.findall(FOLD.sub(b" ", content[: max(0, end)] + b"\r\n"))
    }
    to = fields.get(b"to", b"")
    address = to.rpartition(b"<")[2].rstrip(b"> \t") if b"<" in to else to
    return fields.get(b"message-id", b"").decode("ascii", "replace"), address.decode("utf-8", "replace")
