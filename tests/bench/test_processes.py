"""Child processes: an unexpected end is reported with its reason, and no process is left behind."""

import os
import signal
from pathlib import Path

import pytest

from newsletter.bench.processes import ProcessEnded, Processes, unwinding_on_signals
from tests.waiting import eventually

IGNORES_SIGTERM = """
import os, signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("I stay as", os.getpid(), flush=True)
threading.Event().wait()
"""
WAITS = "import os, threading; print('here as', os.getpid(), flush=True); threading.Event().wait()"
FAILS = "import sys; print('one'); print('The cupboard is bare.\\n', file=sys.stderr); sys.exit(3)"
PRINTS_SECRET = "import os, sys; print(os.environ['A_SECRET'], sys.argv, os.getcwd(), flush=True)"


@pytest.fixture
def run(tmp_path):
    """Start a program under a name; all programs end with the test."""
    with Processes(tmp_path, os.environ | {"A_SECRET": "hunter2"}, grace=0.2) as processes:

        def start(name: str, source: str, *words: str) -> Path:
            (tmp_path / f"{name}_program.py").write_text(source)
            processes.start(name, f"{name}_program", *words)
            return processes.log(name)

        start.check, start.end = processes.check, processes.end
        yield start


def pid(log: Path) -> int:
    eventually(lambda: log.read_text().endswith("\n"))
    return int(log.read_text().split()[-1])


def is_gone(number: int) -> bool:
    return not Path(f"/proc/{number}").exists()


def failure(run) -> str:
    """Wait until a process has ended, and return the error message."""

    def message() -> str:
        try:
            run.check()
        except ProcessEnded as error:
            return str(error)
        return ""

    return eventually(message)


def test_the_error_names_the_process_and_quotes_its_last_line(run):
    run("baker", WAITS)
    run.check()
    log = run("cook", FAILS)
    assert failure(run) == f"The cook ended: The cupboard is bare. (full log: {log})"


def test_a_process_that_ends_without_output_is_reported(run):
    run("cook", "")
    assert failure(run).startswith("The cook ended: no output")


def test_no_process_is_left_even_if_it_ignores_sigterm(run):
    numbers = [pid(run("waiting", WAITS)), pid(run("stubborn", IGNORES_SIGTERM))]
    assert not any(is_gone(number) for number in numbers)
    run.end()
    assert all(is_gone(number) for number in numbers)


def test_secrets_are_only_in_the_environment(run, tmp_path):
    log = run("clerk", PRINTS_SECRET, "--quiet")
    output = eventually(log.read_text)
    assert output.startswith("hunter2 ")
    assert "--quiet" in output
    assert str(tmp_path.resolve()) in output
    assert output.count("hunter2") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_unwind_the_program(number):
    steps = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 10)
        finally:
            steps.append("tidied")

    before = signal.signal(number, signal.SIG_DFL)  # as at a command's start
    try:
        with pytest.raises(SystemExit) as end, unwinding_on_signals():
            work()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert (end.value.code, steps) == (128 + number, ["tidied"])


def test_an_ignored_signal_stays_ignored(run):
    """nohup relies on that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
