"""Servers that end with whoever started them, also where that is killed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import IO, Any

from newsletter.errors import NewsletterError

LENT_TO_CLIENTS = 32_768  # the first port that Linux gives to whoever connects
DEADLINE = 20.0  # seconds for a server to answer; a loaded machine needs a few

# It runs the server and reads from whoever must outlive it: the end of that file means they are gone, even by kill -9.
# CONT because somebody may have frozen the server; INT is PostgreSQL's way to stop without waiting for clients.
KEEPER = """
folder=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
(read -r _ <&3; kill -CONT "$server"; kill -INT "$server"; kill -TERM "$server") 2>/dev/null & watch=$!
wait "$server"
kill "$watch" 2>/dev/null
cd /; rm -rf "$folder"
"""


class ServerError(NewsletterError):
    """A server did not start; the message is the last thing it said."""


class MissingError(ServerError):
    """A program is not on this machine; the message says where it is to be had."""


class Server:
    """A server process in a folder of its own, which is removed when it ends.

    It ends when `alive` does, or with us where no such file is given. Root lends it the name of `user`, if there is
    one. Without an environment it learns nothing of ours but the PATH.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        user: str | None,
        alive: IO[bytes] | None = None,
        environ: Mapping[str, str] | None = None,
        says: int | None = None,
    ) -> None:
        self.folder = folder
        self._log = (folder / "log").open("w+b")  # open here too, to be read when the folder is gone
        self._process = subprocess.Popen(  # noqa: S603 - words of our own
            ["sh", "-c", KEEPER, "keeper", folder, *command],  # noqa: S607 - every system has one
            cwd=folder,
            env=environment() if environ is None else environ,
            stdin=alive or subprocess.PIPE,
            stdout=self._log if says is None else says,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for whoever started it, who then ends it
            **run_as(user),
        )

    @property
    def keeper(self) -> int:
        """The process whose child the server is."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, within: float = DEADLINE) -> None:
        """Return when the server answers; raise ServerError if it ended or never does."""
        deadline = time.monotonic() + within
        while not ready():
            if not self.runs or time.monotonic() > deadline:
                raise ServerError(self.last_words())
            time.sleep(0.005)

    def stop(self, *, within: float = DEADLINE) -> None:
        """End the server and wait until it is gone."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(within)
        self._log.close()

    def last_words(self) -> str:
        """The last line of what it said."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else "it did not say why"


def folder_for(user: str | None, *, where: Path | None = None) -> Path:
    """A new folder for a server that runs as `user`, where that user can go: in `where`, or where all are temporary."""
    folder = Path(tempfile.mkdtemp(prefix="newsletter-", dir=where))
    if user and os.geteuid() == 0:
        shutil.chown(folder, user)
    return folder


def run_as(user: str | None) -> dict[str, Any]:
    """Popen's arguments to give up root for `user`; nothing changes for anybody else."""
    if user is None or os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """What a server learns of our environment: the PATH, and no locale."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def find(name: str) -> Path | None:
    """The program of that name; the folders for administrators are not on everybody's PATH."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"]))
    return Path(found) if found else None


def listens(port: int) -> bool:
    """Whether somebody listens on that port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this machine that nobody listens on, and that nobody is lent as a client.

    One from the range for clients could be taken by any connection while a server that is to come back is away.
    """
    while listens(port := SystemRandom().randrange(10_000, LENT_TO_CLIENTS)):
        pass
    return port
