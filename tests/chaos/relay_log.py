"""The relay's book: what it saw, a line for each mail transaction, written before anybody is answered.

So the book knows of every letter that anybody may call sent, and outlives the relay.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FOLD = re.compile(rb"\r\n[ \t]+")
FIELDS = re.compile(rb"^(message-id|to):[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)

TAKEN, REFUSED = "taken", "refused"
CUT, HELD = "cut", "held"  # it did not come to its end; it is kept waiting


class Arrival(NamedTuple):
    """One mail transaction. The times are of the monotonic clock, which all processes of a machine share."""

    outcome: str  # what became of it, whatever its sender was told
    told: int  # the code that its sender was told in the end; 0: the relay hung up without a word
    connection: int
    mail_at: float  # its MAIL FROM was read
    end_at: float
    sender: str
    recipient: str
    message_id: str
    to: str  # the address in its header
    digest: str  # SHA-256 of its content as it came over the wire
    octets: int


class Book:
    def __init__(self, path: Path, letters: Path | None = None) -> None:
        """`letters`: the folder in which letters are kept, or None if only their hashes are."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.letters = letters

    def keep(self, digest: str, parts: Iterable[bytes]) -> None:
        """Write a letter to a file named by its hash, if letters are kept."""
        if self.letters:
            (self.letters / digest).write_bytes(b"".join(parts))

    def write(self, arrival: Arrival) -> None:
        """Hand it to the system, which keeps it whatever becomes of this process."""
        os.write(self._file, ("\t".join(map(str, arrival)) + "\n").encode())


def read(path: Path) -> Iterator[Arrival]:
    """What a book says so far; a line that is still being written is left for the next reading."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                outcome, told, connection, mail_at, end_at, *texts, octets = line[:-1].split("\t")
                numbers = int(told), int(connection), float(mail_at), float(end_at)
                yield Arrival._make((outcome, *numbers, *texts, int(octets)))


def taken(path: Path) -> int:
    """How many letters it has taken so far: cheap, to be asked often."""
    return path.read_bytes().count(f"{TAKEN}\t".encode()) if path.exists() else 0


def names(head: bytes) -> tuple[str, str]:
    """The Message-ID and the address in To of a letter that begins so."""
    head = head.removeprefix(b"\r\n").partition(b"\r\n\r\n")[0]
    fields = {name.lower(): value.strip() for name, value in FIELDS.findall(FOLD.sub(b" ", head))}
    to = fields.get(b"to", b"")
    address = to.rpartition(b"<")[2].rstrip(b"> \t") if b"<" in to else to
    return fields.get(b"message-id", b"").decode("ascii", "replace"), address.decode("utf-8", "replace")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
