"""A forked program does what an executed one does, and ends with whoever started it."""

import signal
import subprocess
import sys

import pytest

from tests.processes import Process, running
from tests.servers.forks import socket_of_the_run
from tests.servers.server import free_port, listens
from tests.waiting import eventually
from tests.workers.test_processes import ROOT, lives

pytestmark = pytest.mark.slow  # of the tests' own tools, which change rarely

STARTER = """
import sys
from pathlib import Path
from tests.fork_server import Forked, Request
server, folder, *command = sys.argv[1:]
with Path(folder, "said").open("wb") as said:
    program = Forked(Path(server), Request(command, {"NEWSLETTER_DATA_DIR": folder}, folder), said, said)
print(program.pid, flush=True)
input()
"""


@pytest.fixture
def serve(tmp_path) -> list[str]:
    return ["newsletter", "serve", "--port", str(free_port())]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["newsletter", "newsletters", "list"], 1),
        (["celery", "-A", "workers", "beat"], 2),
        (["uvicorn", "--factory", "newsletter.web:create_app"], 2),
    ],
)
def test_it_says_and_returns_the_same(words, status, tmp_path):
    found = []
    for name, fresh in (("forked", False), ("executed", True)):
        process = Process(name, words, {"NEWSLETTER_DATA_DIR": str(tmp_path / name)}, tmp_path, fresh=fresh)
        process.start()
        found.append((process.wait(), process.output().replace(name, "")))
    assert found[0] == found[1]
    assert found[0][0] == status


def test_it_can_be_frozen_killed_and_started_again(serve, tmp_path):
    process = Process("serve", serve, {"NEWSLETTER_DATA_DIR": str(tmp_path)}, tmp_path)
    with running(process):
        first = process.pid
        process.freeze()
        assert lives(first)
        process.kill()
        assert not lives(first)
        process.start()
        assert process.pid != first
        process.terminate()
        assert process.wait() in (0, 143, -signal.SIGTERM)


def test_it_ends_with_whoever_started_it_even_when_that_is_killed(serve, tmp_path):
    command = [sys.executable, "-c", STARTER, str(socket_of_the_run()), str(tmp_path), *serve]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        number = int(starter.stdout.readline())
        eventually(lambda: listens(int(serve[-1])))
        assert lives(number)
        starter.kill()
    assert eventually(lambda: not lives(number))
