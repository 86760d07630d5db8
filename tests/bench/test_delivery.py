"""`newsletter bench delivery`, small: the sums are right and every figure is there. How fast is no test's matter."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from newsletter.bench.servers import postfix, postgresql, redis
from newsletter.bench.servers.server import ServerError
from tests.servers.missing_servers import missing
from tests.servers.server import roomy_folder
from tests.waiting import eventually

READERS = 300


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    """What it starts has to be on the machine."""
    asked = {
        "PostgreSQL": postgresql.programs,
        "Redis": redis.program,
        "smtp-sink": lambda: postfix.program("smtp-sink"),
    }
    for name, program in asked.items():
        try:
            program()
        except ServerError as error:
            missing(name, str(error))


@pytest.fixture
def anywhere() -> Iterator[Path]:
    """A folder that the servers' users may enter, unlike pytest's."""
    with TemporaryDirectory(dir=roomy_folder()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def bench(folder: Path, *words: str) -> subprocess.Popen:
    """The command, running; its servers' folders are in that one."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "newsletter.cli",
            "bench",
            "delivery",
            "--letters",
            str(READERS),
            "--folder",
            str(folder),
            *words,
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_and_every_figure_is_there(anywhere):
    words = ["--rounds", "1", "--connections", "2", "--processes", "2", "--confirmations", "10", "--leavers", "4"]
    with bench(anywhere, *words, "--json") as running:
        said, told = running.communicate()
    assert running.returncode == 0, told
    found = json.loads(said)
    assert (found["lost"], found["doubled"]) == (0, 0)
    (one,) = found["rounds"]
    assert one["ours"]["sent"] == one["ours"]["counted_by_sink"] == one["smtp_source"]["letters"] == READERS
    assert found["letters_per_second"] > 0
    assert found["ratio_to_smtp_source"] > 0
    assert 20_000 <= found["letter_octets"] <= 30_000
    assert {"worker 1", "worker 2", "beat", "redis", "smtp-sink", "postgresql"} <= found["peak_memory_mb"].keys()
    assert found["cpu_seconds_per_1000_letters"].keys() == found["peak_memory_mb"].keys()
    assert found["fsync_ms"] >= 0
    assert found["letters_per_commit"] > 0
    assert found["snapshot"]["sent"] == READERS
    lively = found["lively"]
    assert lively["audience"] == lively["sent"] + lively["withheld"] == READERS
    assert lively["compared"]["arrived"] == lively["sent"]
    assert lively["confirmations"]["letters"] == lively["confirmations"]["signups"] > 0
    assert found["paced"]["leavers"]["mails_later_than_limit"] == lively["leavers"]["mails_later_than_limit"] == 0
    assert not list(anywhere.glob("newsletter-*")), "a folder was left behind"


@pytest.mark.slow
def test_killed_in_the_middle_it_leaves_no_server_behind(anywhere):
    with bench(anywhere) as running:
        eventually(lambda: list(anywhere.glob("newsletter-*/newsletter-*/.s.PGSQL.5432")), within=60)
        running.send_signal(signal.SIGKILL)
    assert eventually(lambda: not list(anywhere.glob("newsletter-*")), within=60)
