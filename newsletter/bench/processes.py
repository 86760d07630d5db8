"""Processes: the service as it runs in production, started for as long as somebody needs it."""

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

WARM = 12.0  # seconds that a process has to end by itself; a worker finishes what it has begun within ten


class Ended(NewsletterError):
    """A process ended that was to go on."""


class Processes:
    """Python programs by name, each with its output in a log of its own. Leaving ends all, whatever the reason."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, warm: float = WARM) -> None:
        self._folder = folder
        self._environ = environ
        self._warm = warm
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, name: str, module: str, *words: str) -> None:
        """Run a module in the folder, so that no .env is read; secrets are in its environment, where `ps` is blind."""
        with self.log(name).open("wb") as log, _undisturbed():
            self._running[name] = subprocess.Popen(  # noqa: S603 - words of our own
                [sys.executable, "-m", module, *words],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl+C is for whoever started it, who then ends it in order
            )

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self._folder / f"{name}.log"

    def check(self) -> None:
        """Raise Ended, with its last words, where a process is not running any more."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Ended(f"The {name} ended: {_last_line(self.log(name))} ({self.log(name)} has the rest)")

    def end(self) -> None:
        """Ask all to end, and make those end that do not. Nothing runs afterwards."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + self._warm
        try:
            for process in self._running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0, deadline - time.monotonic()))
        finally:  # also when somebody presses Ctrl+C once more
            for process in self._running.values():
                process.kill()
                process.wait()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Within it a signal to end waits: in the middle of a start it would leave a process that nobody knows of."""
    waiting: list[int] = []
    heeded = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for each, handler in heeded.items():
        if callable(handler):
            signal.signal(each, lambda number, _: waiting.append(number))
    try:
        yield
    finally:
        for each, handler in heeded.items():
            signal.signal(each, handler)
        for number in waiting:
            signal.raise_signal(number)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it did not say why"


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """Within it, SIGTERM and a closed terminal unwind the program as Ctrl+C does, so that what it started is ended."""
    heeded = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in heeded:
        signal.signal(each, _leave)
    try:
        yield
    finally:
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)


def _leave(number: int, _: FrameType | None) -> Never:
    raise SystemExit(128 + number)
