"""The fork server of a test run; its first use starts it, and it ends with the run."""

import os
import sys
from pathlib import Path

import pytest

from tests import fork_server
from tests.servers.run import RUN, Run
from tests.servers.server import environment, folder_for
from tests.waiting import TIMEOUT

_runs: list[Run] = []


@pytest.hookimpl(trylast=True)  # once the run is known
def pytest_configure(config: pytest.Config) -> None:
    _runs.append(config.stash[RUN])


def socket_of_the_run() -> Path | None:
    """Return the socket of the run's fork server; None outside of pytest."""
    return Path(_runs[-1].once("forks", lambda: _start(_runs[-1]))) if _runs else None


def _start(run: Run) -> str:
    folder = folder_for(None)
    path = folder / "socket"
    python_path = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    command = [sys.executable, fork_server.__file__, str(path)]
    server = run.serve(command, folder, user=None, environ={**environment(), **python_path})
    server.wait_until(path.exists, within=TIMEOUT)
    return str(path)
