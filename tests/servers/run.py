"""A test run, which consists of one process or, with pytest-xdist, of several."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.servers.server import Server


class Run:
    """What the processes of a test run share: a folder, and a pipe that closes when the run ends."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number  # of this process, from 0
        self._servers: list[Server] = []

    def serve(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        user: str | None,
        environ: Mapping[str, str] | None = None,
    ) -> Server:
        """Start a server that outlives this process and ends with the run."""
        with (self.folder / "alive").open("rb") as pipe:
            self._servers.append(Server(command, folder, user=user, lifeline=pipe, environ=environ))
        return self._servers[-1]

    def end(self) -> None:
        """Stop the servers and remove the folder; called in the main process."""
        for server in self._servers:
            server.stop()
        shutil.rmtree(self.folder)

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Call `make` in the first process that needs it, and return its result in every process."""
        result = self.folder / name
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not result.exists():
                result.write_text(make())
        return result.read_text()


RUN = pytest.StashKey[Run]()
PIPE = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    if worker := getattr(config, "workerinput", None):
        config.stash[RUN] = Run(Path(worker["run"]), int(worker["workerid"].removeprefix("gw")))
        return
    folder = Path(tempfile.mkdtemp(prefix="newsletter-run-"))
    os.mkfifo(folder / "alive")
    config.stash[PIPE] = os.open(folder / "alive", os.O_RDWR)  # O_WRONLY would block until there is a reader
    config.stash[RUN] = Run(folder, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["run"] = str(node.config.stash[RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (pipe := config.stash.get(PIPE, None)) is not None:  # 0 where standard input is closed
        os.close(pipe)
        config.stash[RUN].end()


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    return pytestconfig.stash[RUN]
