"""Processes that are started for a while: they say why they end, and none is left."""

import os
import signal
from pathlib import Path

import pytest

from newsletter.bench.processes import ProcessEnded, Processes, unwinding_on_signals
from tests.waiting import eventually

STUBBORN = """
import os, signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("I stay as", os.getpid(), flush=True)
threading.Event().wait()
"""
MEEK = "import os, threading; print('here as', os.getpid(), flush=True); threading.Event().wait()"
FAILS = "import sys; print('one'); print('The cupboard is bare.\\n', file=sys.stderr); sys.exit(3)"
TELLS = "import os, sys; print(os.environ['A_SECRET'], sys.argv, os.getcwd(), flush=True)"


@pytest.fixture
def run(tmp_path):
    """Start a program under a name; all end with the test."""
    with Processes(tmp_path, os.environ | {"A_SECRET": "hunter2"}, grace=0.2) as processes:

        def start(name: str, source: str, *words: str) -> Path:
            (tmp_path / f"{name}_program.py").write_text(source)
            processes.start(name, f"{name}_program", *words)
            return processes.log(name)

        start.check, start.end = processes.check, processes.end
        yield start


def pid(log: Path) -> int:
    return int(eventually(lambda: log.read_text().split(), within=20)[-1])


def is_gone(number: int) -> bool:
    return not Path(f"/proc/{number}").exists()


def failure(run) -> str:
    """What is said of a process that ended, once one has."""

    def said() -> str:
        try:
            run.check()
        except ProcessEnded as error:
            return str(error)
        return ""

    return eventually(said, within=20)


def test_whoever_ends_is_told_by_name_with_the_last_words(run):
    run("baker", MEEK)
    run.check()
    log = run("cook", FAILS)
    assert failure(run) == f"The cook ended: The cupboard is bare. ({log} has the rest)"


def test_whoever_ends_without_a_word_is_told_too(run):
    run("cook", "")
    assert failure(run).startswith("The cook ended: it did not say why")


def test_none_is_left_not_even_one_that_does_not_listen(run):
    numbers = [pid(run("meek", MEEK)), pid(run("stubborn", STUBBORN))]
    assert not any(is_gone(number) for number in numbers)
    run.end()
    assert all(is_gone(number) for number in numbers)


def test_secrets_are_in_the_environment_and_nowhere_else(run, tmp_path):
    log = run("clerk", TELLS, "--quiet")
    said = eventually(log.read_text, within=20)
    assert said.startswith("hunter2 ")
    assert "--quiet" in said
    assert str(tmp_path.resolve()) in said
    assert said.count("hunter2") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_unwinds_what_is_under_way(number):
    steps = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 10)
        finally:
            steps.append("tidied")

    before = signal.signal(number, signal.SIG_DFL)  # as a command finds it, whatever ran in this process before
    try:
        with pytest.raises(SystemExit) as end, unwinding_on_signals():
            work()
    finally:
        signal.signal(number, before)
    assert (end.value.code, steps) == (128 + number, ["tidied"])
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so(run):
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
