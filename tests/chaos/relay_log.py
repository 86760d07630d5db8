"""The relay's log: one line for each mail transaction, written before the relay replies.

So the log contains every letter that the service may record as sent, and it outlives the relay.
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
CUT, HELD = "cut", "held"  # the transaction did not complete; the relay does not reply to it


class Arrival(NamedTuple):
    """One mail transaction. The times are of the monotonic clock, which all processes of a machine share."""

    outcome: str  # whether the relay accepted it, whatever it replied
    reply_code: int  # the last reply to the sender; 0: the relay closed the connection without one
    connection: int
    mail_at: float  # when its MAIL FROM was read
    end_at: float
    sender: str
    recipient: str
    message_id: str
    to: str  # the address in its header
    digest: str  # SHA-256 of its content as it came over the wire
    octets: int


class RelayLog:
    """A log file that only grows."""

    def __init__(self, path: Path, letters: Path | None = None) -> None:
        """`letters`: the folder in which letters are kept, or None if only their hashes are."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.letters = letters

    def keep(self, digest: str, parts: Iterable[bytes]) -> None:
        """Write a letter to a file named by its hash, if letters are kept."""
        if self.letters:
            (self.letters / digest).write_bytes(b"".join(parts))

    def write(self, arrival: Arrival) -> None:
        """Write a line with one system call, so that the system keeps it even if this process is killed."""
        os.write(self._file, ("\t".join(map(str, arrival)) + "\n").encode())


def read(path: Path) -> Iterator[Arrival]:
    """Return the arrivals in a log, without an incomplete last line."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                outcome, reply_code, connection, mail_at, end_at, *texts, octets = line[:-1].split("\t")
                numbers = int(reply_code), int(connection), float(mail_at), float(end_at)
                yield Arrival._make((outcome, *numbers, *texts, int(octets)))


def taken(path: Path) -> int:
    """Return how many letters the relay has accepted so far; cheap enough to be called often."""
    return path.read_bytes().count(f"{TAKEN}\t".encode()) if path.exists() else 0


def names(head: bytes) -> tuple[str, str]:
    """Return the Message-ID and the address in To of a letter's header."""
    head = head.removeprefix(b"\r\n").partition(b"\r\n\r\n")[0]
    fields = {name.lower(): value.strip() for name, value in FIELDS.findall(FOLD.sub(b" ", head))}
    to = fields.get(b"to", b"")
    address = to.rpartition(b"<")[2].rstrip(b"> \t") if b"<" in to else to
    return fields.get(b"message-id", b"").decode("ascii", "replace"), address.decode("utf-8", "replace")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a letter's content."""
    return hashlib.sha256(content).hexdigest()
