"""The outbox: a transport that writes letters into a Maildir on this machine, which any mail program can open.

It keeps the same contract as the SMTP transport, so everything around it works as in production.
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

# The folder's problem, not a letter's: the disk is full, over its quota, or not writable for us.
FOLDER_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

FREE_BYTES = 256 * 1024  # that must fit on the disk before messages are taken again

FILE_NAME = re.compile(r"[0-9]{1,19}\.newsletter")  # the delivery's id; no name that leads to another folder


@dataclass(frozen=True)
class OutboxLetter:
    """A letter in the outbox."""

    name: str
    at: datetime
    source: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The parsed letter; Return-Path and Delivered-To contain its envelope."""
        return BytesParser(policy=policy.default).parsebytes(self.source)

    @property
    def text(self) -> str:
        """The plain text part; empty if there is none."""
        return self._part("plain") or ""

    @property
    def html(self) -> str | None:
        """The HTML part; None if there is none."""
        return self._part("html")

    def _part(self, subtype: str) -> str | None:
        part = self.message.get_body((subtype,))
        return None if part is None else str(part.get_content())


def sync_folder(folder: Path) -> None:
    """Sync the folder itself, or a power cut could lose the newest name in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Outbox:
    """Writes each letter into a folder, and reads the letters back for the outbox pages."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], datetime] = clock, sync: Callable[[Path], None] = sync_folder
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._sync = sync
        self._problem: TransportProblem | None = None

    def send(
        self, messages: Iterator[Message | None], report: Callable[[Result], None], *, stop: Callable[[], bool]
    ) -> None:
        """Write letters as the Transport contract says; a letter that cannot be written now is reported LATER."""
        self._problem = self._check_folder()
        while not (self._problem or stop()) and (message := next(messages, None)):
            outcome, reply = self._store(message)
            report(Result(message.delivery, message.attempt, outcome, reply, self._clock()))

    def blocking_problem(self) -> TransportProblem | None:
        """Return why no letter can be written, as the last `send` found; None if letters can be written."""
        return self._problem

    def problems(self) -> Sequence[TransportProblem]:
        """Return the blocking problem, the only kind that an outbox has."""
        return [self._problem] if self._problem else []

    def close(self) -> None:
        """Do nothing: nothing is kept open."""

    def letters(self, *, limit: int = 100) -> list[OutboxLetter]:
        """Return the newest letters, newest first."""
        newest = sorted(self._files(), reverse=True)[:limit]
        return [letter for _, _, name in newest if (letter := self.letter(name))]

    def letter(self, name: str) -> OutboxLetter | None:
        """Return the letter in the file of that name; None if there is none."""
        path = self._folder / "new" / name
        if not FILE_NAME.fullmatch(name) or not path.is_file():
            return None
        return OutboxLetter(name, datetime.fromtimestamp(path.stat().st_mtime, UTC), path.read_bytes())

    def __len__(self) -> int:
        return sum(1 for _ in self._files())

    def _files(self) -> Iterator[tuple[int, int, str]]:
        """Yield when each letter was written (in nanoseconds), its delivery, and its file name."""
        with suppress(FileNotFoundError), os.scandir(self._folder / "new") as entries:
            for entry in entries:
                if FILE_NAME.fullmatch(entry.name):
                    yield entry.stat().st_mtime_ns, int(entry.name.partition(".")[0]), entry.name

    def _store(self, message: Message) -> tuple[Outcome, Reply | None]:
        if time.monotonic() > message.begin_by:
            return Outcome.UNTOUCHED, None
        if refusal := replies.envelope_refusal(message):
            return refusal
        try:
            self._write(message)
        except OSError as error:
            if error.errno not in FOLDER_ERRORS:
                return Outcome.LATER, replies.from_error(error)
            self._problem = _problem(error)
            return Outcome.UNTOUCHED, None
        return self._sync_new()

    def _sync_new(self) -> tuple[Outcome, Reply | None]:
        """Sync the folder. If that fails, the letter can already be read, but a power cut could still lose it."""
        try:
            self._sync(self._folder / "new")
        except OSError as error:
            if error.errno in FOLDER_ERRORS:
                self._problem = _problem(error)
            return Outcome.IN_DOUBT, replies.from_error(error)  # a repeat replaces the same file
        return Outcome.TAKEN, None

    def _check_folder(self) -> TransportProblem | None:
        """Return why no letter can be written; None if letters can. After a problem no message is taken to find out."""
        try:
            # One by one: with `parents`, the folders above get the umask's permissions instead of these.
            if not self._folder.parent.exists():
                self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._folder, *(self._folder / name for name in ("tmp", "new", "cur"))):
                folder.mkdir(mode=0o700, exist_ok=True)
            if self._problem:
                self._write_probe()
        except OSError as error:
            return _problem(error)
        return None

    def _write_probe(self) -> None:
        """Write and delete as many bytes as a letter has, because a full disk still creates empty files."""
        with tempfile.TemporaryFile(dir=self._folder / "tmp") as file:
            file.write(bytes(FREE_BYTES))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, message: Message) -> None:
        """Deliver as a Maildir requires: sync the whole file, then rename it, so that no reader sees half a letter."""
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


def _problem(error: OSError) -> TransportProblem:
    # A full disk may be cleaned up without an operator. Either way the problem is shown, and letters wait.
    lasting = error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return TransportProblem("the outbox", f"nothing can be written there: {error.strerror}", lasting)
