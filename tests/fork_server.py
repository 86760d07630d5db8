"""Start programs by forking a process that has already imported them, which takes milliseconds instead of a second.

A forked program behaves like an executed one, except during its imports. A test of the start itself executes it
(`Process(..., fresh=True)`).

Protocol: a client connects to the server's socket and sends one message with the request as JSON and the two files for
the program's output. The server forks a supervisor for each client. The supervisor forks the program, replies with its
process ID, and later with its exit status. It reaps the program only after the client has closed the connection, so a
client that has not read the status never signals another process with that ID. If the client closes first, the
supervisor ends the program.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any, NamedTuple

PRELOADED = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.beat",
    "celery.bin.celery",
    "celery.bin.worker",
    "celery.concurrency.thread",
    "kombu.transport.redis",
    "newsletter.cli.doctor",
    "newsletter.cli.demo.command",
    "newsletter.cli.migrate",
    "newsletter.cli.serve",
    "newsletter.web",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.main",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "workers.celery",
)
PROGRAMS = ("celery", "newsletter", "uvicorn")
REQUEST_LIMIT = 1 << 16  # bytes
GRACE = 5  # seconds for a program to end after SIGTERM once its client is gone


class Request(NamedTuple):
    """What to run: a program of this installation, with its arguments."""

    command: list[str]
    environment: dict[str, str]
    folder: str


class Forked:
    """A program that the fork server started, with the part of `subprocess.Popen` that `Process` uses."""

    def __init__(self, server: Path, request: Request, out: IO[bytes], err: IO[bytes]) -> None:
        self._supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._supervisor.connect(str(server))
        socket.send_fds(self._supervisor, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
        self.pid = int(self._supervisor.recv(REQUEST_LIMIT))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the program runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the program has ended, negative after a signal."""
        if self.returncode is None:
            if not select.select([self._supervisor], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._supervisor.recv(REQUEST_LIMIT))
            self._supervisor.close()
        return self.returncode

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, which)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def can_start(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether the fork server can start this: a known program whose environment matters only after imports."""
    python_path = os.environ.get("PYTHONPATH")
    return command[0] in PROGRAMS and all(
        name in {"PATH", "HOSTNAME"}
        or name.startswith("NEWSLETTER_")
        or (name == "PYTHONPATH" and value == python_path)
        for name, value in environment.items()
    )


def main(path: str) -> None:
    """Serve until a signal ends this process. A forked program leaves `_serve` with its request and runs here."""
    for module in PRELOADED:
        import_module(module)
    import_module("sqlalchemy.orm").configure_mappers()
    programs = {each.name: each for each in entry_points(group="console_scripts") if each.name in PROGRAMS}
    run = {name: program.load() for name, program in programs.items()}
    gc.collect()
    gc.freeze()  # a collection would write to every memory page that the programs share, and so copy it
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(f"{path}.new")
        server.listen(64)
        Path(f"{path}.new").rename(path)  # a client that finds it can connect
        request = _serve(server)
    sys.exit(run[request.command[0]]())


def _serve(server: socket.socket) -> Request:
    """Fork a supervisor for each client; return only in the forked programs, with their request."""
    while True:
        client, _ = server.accept()
        _reap()
        if os.fork():
            client.close()
            continue
        server.close()
        if request := _supervise(client):
            return request
        os._exit(0)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _supervise(client: socket.socket) -> Request | None:
    """Fork the program and wait for its end; in the program, return its request."""
    message, files, _, _ = socket.recv_fds(client, REQUEST_LIMIT, 2)
    request = Request(*json.loads(message))
    if (program := os.fork()) == 0:
        client.close()
        _become(request, *files)
        return request
    for file in files:
        os.close(file)
    client.send(str(program).encode())
    waiting: Any = select.poll()
    ended = os.pidfd_open(program)
    waiting.register(ended, select.POLLIN)
    waiting.register(client, select.POLLIN)
    if ended not in dict(waiting.poll()):
        _end(program, ended)
        return None
    result = os.waitid(os.P_PID, program, os.WEXITED | os.WNOWAIT)
    assert result
    with suppress(OSError):
        client.send(str(result.si_status if result.si_code == os.CLD_EXITED else -result.si_status).encode())
        client.recv(1)
    return None


def _end(program: int, ended: int) -> None:
    for each in (signal.SIGCONT, signal.SIGTERM):
        os.kill(program, each)
    if not select.select([ended], [], [], GRACE)[0]:
        os.kill(program, signal.SIGKILL)


def _become(request: Request, out: int, err: int) -> None:
    """Set up this process as if it had been executed."""
    os.setsid()
    stdin = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((stdin, out, err)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[:] = [str(Path(sys.executable).parent / request.command[0]), *request.command[1:]]
    sys.path[0] = str(Path(sys.executable).parent)


if __name__ == "__main__":
    main(sys.argv[1])
