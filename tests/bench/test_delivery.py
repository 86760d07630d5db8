"""`newsletter bench delivery` with few readers: the sums add up and every figure is present."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

READERS = 300


def bench(folder: Path, *words: str) -> subprocess.Popen:
    """Start the command, with its servers' folders below `folder`."""
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
def test_no_letter_is_lost_or_doubled_and_every_figure_is_present(server_folders):
    words = ["--rounds", "1", "--connections", "2", "--processes", "2", "--confirmations", "10", "--leavers", "4"]
    with bench(server_folders, *words, "--json") as running:
        out, err = running.communicate()
    assert running.returncode == 0, err
    figures = json.loads(out)
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    (one,) = figures["rounds"]
    assert one["ours"]["sent"] == one["ours"]["counted_by_sink"] == one["smtp_source"]["letters"] == READERS
    assert figures["letters_per_second"] > 0
    assert figures["ratio_to_smtp_source"] > 0
    assert 20_000 <= figures["letter_octets"] <= 30_000
    assert {"worker 1", "worker 2", "beat", "redis", "smtp-sink", "postgresql"} <= figures["peak_memory_mb"].keys()
    assert figures["cpu_seconds_per_1000_letters"].keys() == figures["peak_memory_mb"].keys()
    assert figures["fsync_ms"] >= 0
    assert figures["letters_per_commit"] > 0
    assert figures["snapshot"]["sent"] == READERS
    loaded = figures["lively"]
    assert loaded["audience"] == loaded["sent"] + loaded["withheld"] == READERS
    assert loaded["compared"]["arrived"] == loaded["sent"]
    assert loaded["confirmations"]["letters"] == loaded["confirmations"]["signups"] > 0
    assert figures["paced"]["leavers"]["mails_later_than_limit"] == loaded["leavers"]["mails_later_than_limit"] == 0
    assert not list(server_folders.glob("newsletter-*")), "a folder was left behind"


@pytest.mark.slow
def test_a_killed_benchmark_leaves_no_server_behind(server_folders):
    with bench(server_folders) as running:
        eventually(lambda: list(server_folders.glob("newsletter-*/newsletter-*/.s.PGSQL.5432")))
        running.send_signal(signal.SIGKILL)
    assert eventually(lambda: not list(server_folders.glob("newsletter-*")))
