"""A test run reports missing servers, and ends its servers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.server import listens
from tests.waiting import eventually

pytestmark = pytest.mark.slow  # of the tests' own tools, which change rarely

PLUGINS = [
    word for name in ("run", "missing_servers", "redis", "certificate") for word in ("-p", f"tests.servers.{name}")
]


def a_run(folder: Path, test: str, **environment: str) -> subprocess.Popen:
    """Start pytest on a single test."""
    (folder / "pytest.ini").touch()
    (folder / "test_alone.py").write_text(test)
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGINS, "test_alone.py"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in ("CI", "TEST_REDIS_URL")} | environment,
        stdout=subprocess.PIPE,
        text=True,
    )


TWO_SKIPS = """
import pytest
def test_of_a_server(certificate): pass
def test_of_something_else(): pytest.skip("for another reason")
"""


@pytest.mark.parametrize(("ci", "status", "verdict"), [("false", 0, "Skipped"), ("true", 1, "FAILED")])
def test_the_last_line_names_the_missing_servers(tmp_path, ci, status, verdict):
    with a_run(tmp_path, TWO_SKIPS, CI=ci, PATH=str(tmp_path)) as run:
        last = run.communicate()[0].splitlines()[-1]
    assert run.returncode == status
    assert last.startswith(verdict)
    assert last.endswith("for missing servers: 1 test without openssl: not found; apt install openssl")


def test_a_server_ends_with_its_run_even_if_that_is_killed(tmp_path, redis_url):
    test = "def test(redis_url):\n    print(redis_url, flush=True)\n    input()\n"
    with a_run(tmp_path, test, PYTEST_ADDOPTS="-s", TMPDIR=str(tmp_path)) as run:
        port = int(run.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])
        assert listens(port)
        run.send_signal(signal.SIGKILL)
    assert eventually(lambda: not listens(port))
