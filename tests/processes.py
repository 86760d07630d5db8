"""Our own programs as an operator runs them: each a process of its own, given a command line and an environment.

They end with whoever started them, also when that is killed; what they said is kept, and printed where a test fails.
"""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2

from newsletter.queues import broker
from newsletter.queues.wakeups import Wakeups
from tests.fork_server import Forked, Request, can_start
from tests.servers.forks import socket_of_the_run
from tests.servers.server import free_port
from tests.waiting import eventually

START = 40  # seconds for a process to be ready; three Pythons start at once on a loaded machine
END = 20  # seconds for a process to end by itself once it was asked to; Celery is promised ten

WEB = ("uvicorn", "--factory", "newsletter.web:create_app", "--no-proxy-headers", "--timeout-graceful-shutdown", "5")
WORKER = ("celery", "-A", "workers", "worker")
BEAT = ("celery", "-A", "workers", "beat")

# It waits for the end of whoever started the process, and ends it then: by then nobody else would.
WATCHDOG = 'read -r _; kill -CONT "$1"; kill -TERM "$1"; sleep 5; kill -KILL "$1"'


# Whom to trust where nobody speaks TLS. Left to itself every GET reads whom the machine trusts, which takes 40 ms of a
# processor that those who are waited for need.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Process:
    """One of our programs, which can be ended and started again; it runs in `folder`, and its output lies there.

    It is forked from a process that has imported our programs, where that makes no difference (`tests/fork_server.py`).
    A `fresh` one is executed, as an operator does: for tests of the start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        fresh: bool = False,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._fresh = fresh
        self._running: subprocess.Popen[bytes] | Forked | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or again; its output goes on where it ended."""
        assert self._running is None, f"{self.name} runs already"
        environment = _environment(self._environment)
        with self._stream("out").open("ab") as out, self._stream("err").open("ab") as err:
            if not self._fresh and can_start(self._command, environment) and (server := socket_of_the_run()):
                request = Request(self._command, environment, str(self._folder))
                self._running = Forked(server, request, out, err)
            else:
                self._execute(environment, out, err)

    def _execute(self, environment: dict[str, str], out: IO[bytes], err: IO[bytes]) -> None:
        self._running = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends its processes
        )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "mourner", str(self.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        assert self._running, f"{self.name} does not run"
        return self._running.pid

    def kill(self) -> None:
        """As `kill -9` does, and as a machine that loses its power; returns when it is gone."""
        self._signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """Ask it to end, as an orchestrator does at each deployment; it may take its time, see `wait`."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it keep its connections and do nothing at all."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def wait(self, within: float = END) -> int:
        """Its exit status, negative after a signal; fails when it has not ended `within` seconds."""
        assert self._running, f"{self.name} does not run"
        try:
            status = self._running.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended within {within} seconds") from None
        self._leave()
        return status

    def stop(self) -> None:
        """End it, kindly if it listens; nothing happens where it has ended."""
        if self._running is None:
            return
        self.thaw()
        self.terminate()
        try:
            self._running.wait(END)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._leave()

    def _signal(self, which: signal.Signals) -> None:
        assert self._running, f"{self.name} does not run"
        self._running.send_signal(which)  # which does nothing where it has ended: its number may be another's by now

    @property
    def runs(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def output(self) -> str:
        """All it has said so far, on both streams."""
        return self._said("out") + self.errors()

    def errors(self) -> str:
        """What it has said on the stream for errors, where logs go."""
        return self._said("err")

    def _leave(self) -> None:
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
        self._running = self._watchdog = None

    def _stream(self, which: str) -> Path:
        return self._folder / f"{self.name}.{which}"

    def _said(self, which: str) -> str:
        stream = self._stream(which)
        return stream.read_text(errors="replace") if stream.exists() else ""


@dataclass(frozen=True)
class Production:
    """The service as three processes, and the environment that all of them have."""

    web: Process
    worker: Process
    beat: Process
    base_url: str
    settings: dict[str, str]

    @property
    def processes(self) -> tuple[Process, ...]:
        return self.web, self.worker, self.beat

    def is_at_work(self) -> bool:
        """Whether the site says that nothing is late, and so that the workers tick. Fails when a process has ended."""
        for process in self.processes:
            assert process.runs, f"{process.name} has ended by itself"
        return is_ok(f"{self.base_url}/health/work")


@contextmanager
def production(
    database_url: str, redis_url: str, relay_url: str, folder: Path, *, level: str = "info", **settings: str
) -> Iterator[Production]:
    """Web, worker and beat on a migrated database; at work, and ended on leaving.

    More settings are given by their names (`FEED_ALLOW="..."`), how much is logged by `level`.
    """
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    given = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SMTP_URL": relay_url,
        "BASE_URL": base_url,
        "SECRET_KEYS": "k1:" + "s" * 40,
        "DATA_DIR": str(folder),
        **settings,
    }
    environment = {f"NEWSLETTER_{name}": value for name, value in given.items()}
    talk = ["--loglevel", level]
    made = Production(
        Process("web", [*WEB, "--host", "127.0.0.1", "--port", str(port), "--log-level", level], environment, folder),
        Process("worker", [*WORKER, *talk], environment, folder),
        Process("beat", [*BEAT, *talk], environment, folder),
        base_url,
        environment,
    )
    with running(*made.processes):
        eventually(made.is_at_work, within=START)
        yield made


@contextmanager
def running(*processes: Process) -> Iterator[None]:
    """The processes, started in this order; on leaving they are ended in the other, and what they said is printed.

    pytest shows what is printed where a test fails, and only there.
    """
    with ExitStack() as last:
        last.callback(
            lambda: sys.stdout.writelines(f"--- {one.name}\n{said}\n" for one in processes if (said := one.output()))
        )
        for process in processes:
            last.callback(process.stop)
            process.start()
        yield


@contextmanager
def connected_wakeups(redis_url: str) -> Iterator[Wakeups]:
    """A bell of our own for the workers on that Redis."""
    with broker.connect(redis_url) as app, closing(broker.wakeups(app)) as bell:
        yield bell


def is_ok(url: str) -> bool:
    """Whether a health page answers, and well."""
    try:
        return httpx2.get(url, verify=NO_CERTIFICATES, trust_env=False, timeout=5).is_success
    except httpx2.TransportError:
        return False


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings, and nothing of our own environment but the way to the programs of this installation."""
    ways = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}  # to the tree that is tested
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **ways, **settings}
