"""Files and folders that only their owner can read, whatever the umask was when they were created."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
LOST = "lost+found"  # at the root of a file system of its own


def create(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists. SQLite takes it as a new database.

    Without the folder or the permission it creates none: whoever opens the file next reports that.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def restrict(paths: Iterable[Path]) -> Iterator[str]:
    """Take the permissions of group and others from these files and folders; missing ones are skipped.

    Yields the reason for each that others can still use: it belongs to another user, it is a folder for everybody, or
    it holds other folders than these, as /var does. Those may be for others, who reach them through it.
    """
    ours = set(paths)
    for path in sorted(ours):
        try:
            mode = path.stat().st_mode
            if not mode & OTHERS:
                continue
            if mode & stat.S_ISVTX:  # such as /tmp
                yield f"{path} is a folder for everybody"
            elif stat.S_ISDIR(mode) and (other := _other_folder(path, ours)):
                yield f"{path} holds another folder, {other}"
            else:
                path.chmod(stat.S_IMODE(mode) & ~OTHERS)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"others than its owner can use {path}: {error.strerror}"


def _other_folder(folder: Path, ours: Collection[Path]) -> str | None:
    """Return a folder in this one that is not ours; hidden ones are of its user's programs."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    others = (name for name in names if not name.startswith(".") and name != LOST and folder / name not in ours)
    return next(others, None)
