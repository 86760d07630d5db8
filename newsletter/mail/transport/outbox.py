"""The outbox: letters stay on this machine, in a Maildir that any mail program opens.

It answers to the same contract as the postmen that travel, so everything around it is as in production.
"""

import errno
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path

from newsletter.mail.transport import replies
from newsletter.mail.transport.transport import Message, Outcome, Reply, Result, TransportProblem, clock

# The folder's trouble, never a letter's: full, over its quota, not ours to write to.
UNUSABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

ROOM = 256 * 1024  # bytes that have to fit before letters are pulled again

NAME = re.compile(r"[0-9]{1,19}\.newsletter")  # a delivery's number; nothing that leads to another folder


@dataclass(frozen=True)
class Kept:
    """A letter that lies in the outbox."""

    name: str
    at: datetime
    source: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The letter, parsed; Return-Path and Delivered-To tell the envelope it came in."""
        return BytesParser(policy=policy.default).parsebytes(self.source)

    @property
    def text(self) -> str:
        """The plain text part."""
        return self._part("plain") or ""

    @property
    def html(self) -> str | None:
        """The HTML part."""
        return self._part("html")

    def _part(self, subtype: str) -> str | None:
        part = self.message.get_body((subtype,))
        return None if part is None else str(part.get_content())


class Outbox:
    """A Postman who writes each letter into a folder, and finds it again."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = clock) -> None:
        self._folder = folder
        self._clock = clock
        self._trouble: TransportProblem | None = None

    def carry(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Keep letters as the Postman contract says; what cannot be written now may be later."""
        self._trouble = self._probe()
        while not (self._trouble or stop()) and (message := next(messages, None)):
            outcome, reply = self._keep(message)
            report(Result(message.delivery, message.attempt, outcome, reply, self._clock()))

    def trouble(self) -> TransportProblem | None:
        """Why nothing can be written, if so; found out anew by each carry."""
        return self._trouble

    def problems(self) -> Sequence[TransportProblem]:
        """The same: there is one way only."""
        return [self._trouble] if self._trouble else []

    def close(self) -> None:
        """Nothing is kept open."""

    def letters(self, *, limit: int = 100) -> list[Kept]:
        """The newest letters, newest first."""
        newest = sorted(self._files(), reverse=True)[:limit]
        return [kept for _, _, name in newest if (kept := self.letter(name))]

    def letter(self, name: str) -> Kept | None:
        """The letter of that name, if there is one."""
        path = self._folder / "new" / name
        if not NAME.fullmatch(name) or not path.is_file():
            return None
        return Kept(name, datetime.fromtimestamp(path.stat().st_mtime, UTC), path.read_bytes())

    def __len__(self) -> int:
        return sum(1 for _ in self._files())

    def _files(self) -> Iterator[tuple[int, int, str]]:
        """When each letter was written, its delivery and its name."""
        with suppress(FileNotFoundError), os.scandir(self._folder / "new") as entries:
            for entry in entries:
                if NAME.fullmatch(entry.name):
                    yield entry.stat().st_mtime_ns, int(entry.name.partition(".")[0]), entry.name

    def _keep(self, message: Message) -> tuple[Outcome, Reply | None]:
        if time.monotonic() > message.begin_by:
            return Outcome.UNTOUCHED, None
        if unfit := replies.unfit(message):
            return unfit
        try:
            self._write(message)
        except OSError as error:
            if error.errno not in UNUSABLE:
                return Outcome.LATER, replies.ours(error)
            self._trouble = _trouble(error)
            return Outcome.UNTOUCHED, None
        return Outcome.TAKEN, None

    def _probe(self) -> TransportProblem | None:
        """Whether a letter could be written: while there is trouble, none is pulled to find out."""
        try:
            for folder in ("tmp", "new", "cur"):
                (self._folder / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._trouble:
                self._rehearse()
        except OSError as error:
            return _trouble(error)
        return None

    def _rehearse(self) -> None:
        """Write as much as a letter takes, and take it away again: a full disk still makes empty files."""
        with tempfile.TemporaryFile(dir=self._folder / "tmp") as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, message: Message) -> None:
        """Deliver as a Maildir demands: whole, safely on the disk, then under its final name, so that none is half."""
        envelope = f"Return-Path: <{message.sender}>\r\nDelivered-To: {message.recipient}\r\n"  # RFC 5321 section 4.4
        handle, written = tempfile.mkstemp(dir=self._folder / "tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([envelope.encode(), *message.body])
                file.flush()
                os.fsync(handle)
            Path(written).replace(self._folder / "new" / f"{message.delivery}.newsletter")
        except OSError:
            Path(written).unlink(missing_ok=True)
            raise
        _sync(self._folder / "new")


def _trouble(error: OSError) -> TransportProblem:
    # What is full may be emptied, and may not: an operator hears of it either way, and letters wait.
    lasting = error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return TransportProblem("the outbox", f"nothing can be written there: {error.strerror}", lasting)


def _sync(folder: Path) -> None:
    """Put the folder itself on the disk, or a power cut forgets the new name in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
