"""Start our programs by forking a process that has imported them already: that takes milliseconds instead of a second.

A program that is started so behaves as one that was executed, but for what it does while it imports. A test of the
start itself executes it (`Process(..., fresh=True)`).

Protocol: a client connects to the server's socket and sends one message with the request as JSON and the two files for
the program's output. The server forks a keeper for each client. The keeper forks the program, answers with its process
ID, and later with its exit status. It reaps the program only when the client hangs up, so a client that has not read
the status yet never signals another process by that ID. Where the client hangs up first, the keeper ends the program.
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
LONGEST = 1 << 16  # bytes of a request
END = 5  # seconds for a program to end by itself once its client is gone


class Request(NamedTuple):
    """What to run: a program of this installation, with its arguments."""

    command: list[str]
    environment: dict[str, str]
    folder: str


class Forked:
    """A program that the server started; the part of `subprocess.Popen` that `Process` uses."""

    def __init__(self, server: Path, request: Request, out: IO[bytes], err: IO[bytes]) -> None:
        self._keeper = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._keeper.connect(str(server))
        socket.send_fds(self._keeper, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
        self.pid = int(self._keeper.recv(LONGEST))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, or None while the program runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the program has ended, negative after a signal."""
        if self.returncode is None:
            if not select.select([self._keeper], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._keeper.recv(LONGEST))
            self._keeper.close()
        return self.returncode

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, which)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def can_start(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether forking will do: for our own programs, where the environment holds only what is read after the start."""
    here = os.environ.get("PYTHONPATH")
    return command[0] in PROGRAMS and all(
        name in {"PATH", "HOSTNAME"} or name.startswith("NEWSLETTER_") or (name == "PYTHONPATH" and value == here)
        for name, value in environment.items()
    )


def main(path: str) -> None:
    """Serve until a signal ends this process; each program that it starts returns from here as well, and then runs."""
    for module in PRELOADED:
        import_module(module)
    import_module("sqlalchemy.orm").configure_mappers()
    programs = {each.name: each for each in entry_points(group="console_scripts") if each.name in PROGRAMS}
    run = {name: program.load() for name, program in programs.items()}
    gc.collect()
    gc.freeze()  # a collection would touch, and so copy, every page that the programs share
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(f"{path}.new")
        server.listen(64)
        Path(f"{path}.new").rename(path)  # a client that finds it can connect
        request = _serve(server)
    sys.exit(run[request.command[0]]())


def _serve(server: socket.socket) -> Request:
    """Fork a keeper for each client; return only in the programs, with what they have to run."""
    while True:
        client, _ = server.accept()
        _reap()
        if os.fork():
            client.close()
            continue
        server.close()
        if request := _keep(client):
            return request
        os._exit(0)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _keep(client: socket.socket) -> Request | None:
    """Start what the client asks for and see it to its end; the program returns with what it has to run."""
    message, files, _, _ = socket.recv_fds(client, LONGEST, 2)
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
    found = os.waitid(os.P_PID, program, os.WEXITED | os.WNOWAIT)
    assert found
    with suppress(OSError):
        client.send(str(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status).encode())
        client.recv(1)
    return None


def _end(program: int, ended: int) -> None:
    for each in (signal.SIGCONT, signal.SIGTERM):
        os.kill(program, each)
    if not select.select([ended], [], [], END)[0]:
        os.kill(program, signal.SIGKILL)


def _become(request: Request, out: int, err: int) -> None:
    """Make this process what it would be had it been executed."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, out, err)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[:] = [str(Path(sys.executable).parent / request.command[0]), *request.command[1:]]
    sys.path[0] = str(Path(sys.executable).parent)


if __name__ == "__main__":
    main(sys.argv[1])
