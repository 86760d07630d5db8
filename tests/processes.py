"""The service's programs as processes, each with its command line and environment, as an operator runs them.

They end with the test process, even if that is killed; their output is kept, and pytest prints it if a test fails.
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
from tests.waiting import TIMEOUT, eventually

WEB = ("uvicorn", "--factory", "newsletter.web:create_app", "--no-proxy-headers", "--timeout-graceful-shutdown", "5")
WORKER = ("celery", "-A", "workers", "worker")
SHORT_LEASES = ("celery", "-A", "tests.short_leases", "worker")
BEAT = ("celery", "-A", "workers", "beat")

# Settings without the prefix: the readers of a test share one domain and often one network.
RAISED_LIMITS = {f"CONFIRMATIONS_PER_{part}": "1000000" for part in ("HOST", "NETWORK", "DOMAIN", "HOUR")}

# Waits until the test process has ended, which closes the pipe, and then ends the program.
WATCHDOG = 'read -r _; kill -CONT "$1"; kill -TERM "$1"; sleep 5; kill -KILL "$1"'


# Without TLS no certificate is needed. By default httpx2 loads the machine's certificates for every GET, which takes
# 40 ms of the processor that the started processes need.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Process:
    """One program, which can be ended and started again; it runs in `folder`, which also holds its output.

    The fork server starts it (`tests/fork_server.py`) if that makes no difference. A `fresh` process is executed as an
    operator does, for tests of the start.
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
        """Start it, for the first time or again; output is appended."""
        assert self._running is None, f"{self.name} is already running"
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
            start_new_session=True,  # Ctrl-C goes to pytest, which then ends its processes
        )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", str(self.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process ID."""
        assert self._running, f"{self.name} does not run"
        return self._running.pid

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self._signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> None:
        """Send SIGTERM, as an orchestrator does at each deployment; `wait` waits for the end."""
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop it with SIGSTOP; it keeps its connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue a frozen process."""
        self._signal(signal.SIGCONT)

    def wait(self, within: float = TIMEOUT) -> int:
        """Return the exit status, negative after a signal; fail if the process has not ended `within` seconds."""
        assert self._running, f"{self.name} does not run"
        try:
            status = self._running.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended within {within} seconds") from None
        self._forget()
        return status

    def stop(self) -> None:
        """End it with SIGTERM, or with SIGKILL if it ignores that; does nothing if it has ended."""
        if self._running is None:
            return
        self.thaw()
        self.terminate()
        try:
            self._running.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._forget()

    def _signal(self, which: signal.Signals) -> None:
        assert self._running, f"{self.name} does not run"
        self._running.send_signal(which)  # does nothing after its end: the ID may belong to another process

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._running is not None and self._running.poll() is None

    def output(self) -> str:
        """Return its output so far, of both streams."""
        return self._written("out") + self.errors()

    def errors(self) -> str:
        """Return its standard error so far, which includes the log."""
        return self._written("err")

    def _forget(self) -> None:
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
        self._running = self._watchdog = None

    def _stream(self, which: str) -> Path:
        return self._folder / f"{self.name}.{which}"

    def _written(self, which: str) -> str:
        stream = self._stream(which)
        return stream.read_text(errors="replace") if stream.exists() else ""


@dataclass(frozen=True)
class Production:
    """The service as three processes with the same settings."""

    web: Process
    worker: Process
    beat: Process
    base_url: str
    settings: dict[str, str]

    @property
    def processes(self) -> tuple[Process, ...]:
        """The three processes."""
        return self.web, self.worker, self.beat

    def is_working(self) -> bool:
        """Return whether /health/work is fine, which needs a worker's heartbeat; fail if a process has ended."""
        for process in self.processes:
            assert process.runs, f"{process.name} has ended by itself"
        return is_ok(f"{self.base_url}/health/work")


@contextmanager
def production(
    database_url: str,
    redis_url: str,
    relay_url: str,
    folder: Path,
    *,
    level: str = "info",
    worker: Sequence[str] = WORKER,
    **settings: str,
) -> Iterator[Production]:
    """Run web, worker and beat on a migrated database during the block, which begins once they work.

    `settings` are named without the prefix (`FEED_ALLOW="..."`); `level` is the log level.
    """
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SMTP_URL": relay_url,
        "BASE_URL": base_url,
        "SECRET_KEYS": "k1:" + "s" * 40,
        "DATA_DIR": str(folder),
        **RAISED_LIMITS,
        **settings,
    }
    environment = {f"NEWSLETTER_{name}": value for name, value in values.items()}
    log_level = ["--loglevel", level]
    service = Production(
        Process("web", [*WEB, "--host", "127.0.0.1", "--port", str(port), "--log-level", level], environment, folder),
        Process("worker", [*worker, *log_level], environment, folder),
        Process("beat", [*BEAT, *log_level], environment, folder),
        base_url,
        environment,
    )
    with running(*service.processes):
        eventually(service.is_working)
        yield service


@contextmanager
def running(*processes: Process) -> Iterator[None]:
    """Start the processes in this order; after the block end them in reverse order and print their output.

    pytest shows the output only if the test fails.
    """
    with ExitStack() as stack:
        stack.callback(
            lambda: sys.stdout.writelines(f"--- {one.name}\n{text}\n" for one in processes if (text := one.output()))
        )
        for process in processes:
            stack.callback(process.stop)
            process.start()
        yield


@contextmanager
def connected_wakeups(redis_url: str) -> Iterator[Wakeups]:
    """Yield wake-ups for the workers on this Redis."""
    with broker.connect(redis_url) as app, closing(broker.wakeups(app)) as wakeups:
        yield wakeups


def is_ok(url: str) -> bool:
    """Return whether a health page answers with success."""
    try:
        return httpx2.get(url, verify=NO_CERTIFICATES, trust_env=False, timeout=TIMEOUT).is_success
    except httpx2.TransportError:
        return False


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings, with PATH and PYTHONPATH of this installation and nothing else of this environment."""
    python_path = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **python_path, **settings}
