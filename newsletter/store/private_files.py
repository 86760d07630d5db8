"""Files and folders that only their owner can read, whatever the umask was when they were created."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists. SQLite takes it as a new database.

    Without the folder or the permission it creates none: whoever opens the file next reports that.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def restrict(paths: Iterable[Path]) -> Iterator[str]:
    """Take the permissions of group and others from these files and folders; missing ones are skipped.

    Yields the reason for each that others can still use: it belongs to another user, or it is a folder for everybody.
    """
    for path in paths:
        try:
            mode = path.stat().st_mode
            if mode & stat.S_ISVTX:  # such as /tmp
                yield f"{path} is a folder for everybody"
            elif mode & OTHERS:
                path.chmod(stat.S_IMODE(mode) & ~OTHERS)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"others than its owner can use {path}: {error.strerror}"
