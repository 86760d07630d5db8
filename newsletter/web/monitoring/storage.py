"""Whether the site can write, as far as that shows without writing.

What it cannot know: a quota, a disk that fills up between two checks, a network file system that reports its space
wrongly, and the disk of a PostgreSQL server before a write of this process has failed for it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.mail.transport import outbox
from newsletter.settings import Settings
from newsletter.store.database import Database

SQLITE_FREE_BYTES = 1024 * 1024  # that SQLite needs for its log until it is folded into the file
FAILED_WRITE_SECONDS = 15.0  # for which a write that found the disk full counts: then visitors may try again


class StorageState(StrEnum):
    """Whether something can be written there."""

    OK = "ok"
    FULL = "full"
    READ_ONLY = "read-only"


@dataclass(frozen=True)
class Storage:
    """Where a site writes: its database, and the outbox if letters stay on this machine."""

    database: Database  # that of the pages, whose failed writes count
    sqlite_file: Path | None
    outbox: Path | None
    monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, settings: Settings, database: Database) -> "Storage":
        """Return the storage of a site with these settings."""
        return cls(database, settings.sqlite_file, None if settings.smtp_url else settings.data_dir / "outbox")

    def database_state(self, session: Session) -> StorageState:
        """Return whether the database accepts rows. The session is one of the same database, for reading."""
        if self.sqlite_file is None:
            is_read_only = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"
            state = StorageState.READ_ONLY if session.scalar(text(is_read_only)) else StorageState.OK
        else:
            state = disk_state(self.sqlite_file, needs=SQLITE_FREE_BYTES)
        is_full = self.monotonic() - self.database.disk_full_at < FAILED_WRITE_SECONDS
        return StorageState.FULL if state is StorageState.OK and is_full else state

    def outbox_state(self) -> StorageState:
        """Return whether letters can be written into the outbox; OK if there is none yet."""
        return disk_state(self.outbox, needs=outbox.FREE_BYTES) if self.outbox else StorageState.OK


def disk_state(path: Path, *, needs: int) -> StorageState:
    """Return whether so many bytes, and a new file, fit on the disk of this file or folder, and we may write there.

    It is OK if there is no such file: who opens it will say so.
    """
    if not path.exists():
        return StorageState.OK
    disk = os.statvfs(path)
    folder = path if path.is_dir() else path.parent
    if disk.f_flag & os.ST_RDONLY or not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        return StorageState.READ_ONLY
    has_inode = disk.f_favail > 0 or disk.f_files == 0  # some file systems do not count them
    return StorageState.OK if disk.f_bavail * disk.f_frsize >= needs and has_inode else StorageState.FULL
