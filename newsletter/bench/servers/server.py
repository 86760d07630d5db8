"""Server processes that end with the process that started them, even if that is killed."""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import IO, Any

from newsletter.errors import NewsletterError

FIRST_CLIENT_PORT = 32_768  # Linux assigns ports from here on to clients
TIMEOUT = 60.0  # seconds for a server to start or stop; a loaded machine needs some
MAX_KEPT_PORTS = 50  # of a process, which the processes beside it do not get

# Runs the server and reads its own standard input, which the starting process holds open: end of file means that this
# process is gone, even by kill -9. CONT because a test may have frozen the server; INT stops PostgreSQL without waiting
# for clients.
SUPERVISOR = """
folder=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
(read -r _ <&3; kill -CONT "$server"; kill -INT "$server"; kill -TERM "$server") 2>/dev/null & reader=$!
wait "$server"
kill "$reader" 2>/dev/null
cd /; rm -rf "$folder"
"""


_kept_ports: deque[socket.socket] = deque()


@atexit.register
def _release_ports() -> None:
    while _kept_ports:
        _kept_ports.popleft().close()


class ServerError(NewsletterError):
    """A server did not start or has ended; the message quotes the last line of its output."""


class MissingError(ServerError):
    """A program is not installed; the message says how to install it."""


class Server:
    """A server process in its own folder, which is removed when the server ends.

    The server ends when the file `lifeline` reaches its end; by default, when this process ends. If this process is
    root, the server runs as `user`. By default the server's environment holds only the PATH.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        user: str | None,
        lifeline: IO[bytes] | None = None,
        environ: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> None:
        self.folder = folder
        self._log = (folder / "log").open("w+b")  # keep it open: it is read after the folder is gone
        self._process = subprocess.Popen(  # noqa: S603 - words of our own
            ["sh", "-c", SUPERVISOR, "supervisor", folder, *command],  # noqa: S607 - every system has one
            cwd=folder,
            env=environment() if environ is None else environ,
            stdin=lifeline or subprocess.PIPE,
            stdout=self._log if stdout is None else stdout,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C goes to the starting process, which then ends the server
            **run_as(user),
        )

    @property
    def supervisor_pid(self) -> int:
        """The process ID of the shell that is the server's parent."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server has not ended."""
        return self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], *, within: float = TIMEOUT) -> None:
        """Return once the server is ready; raise ServerError if it has ended or is not ready `within` seconds."""
        deadline = time.monotonic() + within
        while not is_ready():
            if not self.is_running or time.monotonic() > deadline:
                raise ServerError(self.last_line())
            time.sleep(0.005)

    def stop(self, *, within: float = TIMEOUT) -> None:
        """End the server and wait `within` seconds for it; raises subprocess.TimeoutExpired after that."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(within)
        self._log.close()

    def last_line(self) -> str:
        """Return the last line of the server's output."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else "no output"


def folder_for(user: str | None, *, where: Path | None = None) -> Path:
    """Create a folder that `user` may enter, in `where` or the system's temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="newsletter-", dir=where))
    if user and os.geteuid() == 0:
        shutil.chown(folder, user)
    return folder


def run_as(user: str | None) -> dict[str, Any]:
    """Return Popen's arguments to switch from root to `user`; none if this process is not root."""
    if user is None or os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """Return a server's default environment: this process's PATH and the C locale."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def find_program(name: str) -> Path | None:
    """Return a program's path, None if it is missing; searches the sbin folders too, which may not be on the PATH."""
    path = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"]))
    return Path(path) if path else None


def listens(port: int) -> bool:
    """Return whether a process listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a free port below those that Linux assigns to clients.

    A client connection could otherwise occupy the port while a server restarts. While this process lives, `free_port`
    returns the port to no other one, although the server on it takes seconds to start: the process binds it for UDP.
    """
    while True:
        port, kept = SystemRandom().randrange(10_000, FIRST_CLIENT_PORT), socket.socket(type=socket.SOCK_DGRAM)
        try:
            kept.bind(("127.0.0.1", port))
        except OSError:
            kept.close()
            continue
        _kept_ports.append(kept)
        if len(_kept_ports) > MAX_KEPT_PORTS:
            _kept_ports.popleft().close()
        if not listens(port):
            return port
