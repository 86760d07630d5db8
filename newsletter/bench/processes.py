"""Run Python programs as child processes for the duration of a block."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Never, Self

from newsletter.errors import NewsletterError

GRACE = 12.0  # seconds for a process to end after SIGTERM; a worker finishes its current job within ten


class ProcessEnded(NewsletterError):
    """A process ended unexpectedly."""


class Processes:
    """Python programs by name, each with a log file; leaving the block ends all of them.

    `grace` is the number of seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, grace: float = GRACE) -> None:
        self._folder = folder
        self._environ = environ
        self._grace = grace
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, name: str, module: str, *words: str) -> None:
        """Run a module in the folder, so that it reads no .env; `ps` does not show the secrets in its environment."""
        with self.log(name).open("wb") as log, _signals_postponed():
            self._running[name] = subprocess.Popen(  # noqa: S603 - words of our own
                [sys.executable, "-m", module, *words],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl+C goes to this process, which then ends the others
            )

    def log(self, name: str) -> Path:
        """Return the file of a process's output."""
        return self._folder / f"{name}.log"

    def check(self) -> None:
        """Raise ProcessEnded, quoting the last line of its log, if a process has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessEnded(f"The {name} ended: {_last_line(self.log(name))} (full log: {self.log(name)})")

    def end(self) -> None:
        """Send SIGTERM to all processes, and SIGKILL to those that still run after the grace period."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + self._grace
        try:
            for process in self._running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0, deadline - time.monotonic()))
        finally:  # also after a second Ctrl+C
            for process in self._running.values():
                process.kill()
                process.wait()


@contextmanager
def _signals_postponed() -> Iterator[None]:
    """Postpone signals until the end of the block: during a start they would leave an unrecorded process behind."""
    received: list[int] = []
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for each, handler in handlers.items():
        if callable(handler):
            signal.signal(each, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in received:
            signal.raise_signal(number)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


@contextmanager
def unwinding_on_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the program as Ctrl+C does, so that it ends the processes it started."""
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in numbers:
        signal.signal(each, _exit)
    try:
        yield
    finally:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)


def _exit(number: int, _: FrameType | None) -> Never:
    raise SystemExit(128 + number)
