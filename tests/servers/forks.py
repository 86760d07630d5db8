"""The fork server of a test run: started when the first of its processes asks for it, ended with the run."""

import os
import sys
from pathlib import Path

import pytest

from tests import fork_server
from tests.servers.run import RUN, Run
from tests.servers.server import environment, folder_for

START = 60  # seconds to import all that our programs do, on a loaded machine

_runs: list[Run] = []


@pytest.hookimpl(trylast=True)  # once the run is known
def pytest_configure(config: pytest.Config) -> None:
    _runs.append(config.stash[RUN])


def socket_of_the_run() -> Path | None:
    """Return where the run's fork server listens; None outside of pytest."""
    return Path(_runs[-1].once("forks", lambda: _start(_runs[-1]))) if _runs else None


def _start(run: Run) -> str:
    folder = folder_for(None)
    path = folder / "socket"
    ways = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    command = [sys.executable, fork_server.__file__, str(path)]
    server = run.serve(command, folder, user=None, environ={**environment(), **ways})
    server.wait_until(path.exists, within=START)
    return str(path)
