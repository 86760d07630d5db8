"""Processes that a test starts end when the test ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Process, running
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
START = """
import sys
from pathlib import Path
from tests.processes import Process
process = Process("sleeper", ["sleep", "60"], {}, Path(sys.argv[1]))
process.start()
print(process.pid, flush=True)
input()
"""


def lives(number: int) -> bool:
    """Return whether the process is running; a zombie is not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_ends_with_its_starter_even_if_that_is_killed(tmp_path):
    command = [sys.executable, "-c", START, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        number = int(starter.stdout.readline())
        assert lives(number)
        starter.kill()
    assert eventually(lambda: not lives(number))


def test_a_failure_ends_the_processes_and_shows_their_output(tmp_path, capsys):
    talker = Process("talker", ["sh", "-c", "echo so it goes; exec sleep 60"], {}, tmp_path)

    def fail() -> None:
        with running(talker):
            numbers.append(talker.pid)
            eventually(talker.output)
            raise LookupError

    numbers: list[int] = []
    with pytest.raises(LookupError):
        fail()
    assert not lives(numbers[0])
    assert "--- talker\nso it goes" in capsys.readouterr().out


def test_a_process_can_be_frozen_killed_and_started_again(tmp_path):
    talker = Process("talker", ["sh", "-c", "echo $GREETING; exec sleep 60"], {"GREETING": "hello"}, tmp_path)
    with running(talker):
        eventually(lambda: talker.output() == "hello\n")
        talker.freeze()
        talker.kill()
        assert not talker.runs
        talker.start()
        eventually(lambda: talker.output() == "hello\nhello\n")
        talker.terminate()
        assert talker.wait() == -signal.SIGTERM
