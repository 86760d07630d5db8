"""`newsletter bench desk` with few rows: every page of the desk is asked for, and every figure is present."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.bench.desk import measures, routes


@pytest.mark.slow
def test_every_page_is_measured_within_its_limits(server_folders):
    amounts = {"subscribers": 2000, "deliveries": 6000, "issues": 20, "articles": 400, "acts": 300, "requests": 3}
    words = [word for name, amount in amounts.items() for word in (f"--{name}", str(amount))]
    run = subprocess.run(
        [sys.executable, "-m", "newsletter.cli", "bench", "desk", "--folder", str(server_folders), *words, "--json"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout, run.stderr
    figures = json.loads(run.stdout)
    assert {page["route"] for page in figures["pages"]} == set(routes.routes())
    assert figures["not_measured"] == []
    # A machine that runs other tests says nothing about times; statements and sizes are the same everywhere.
    opened = [page for page in figures["pages"] if page["status"] == 200]
    assert {page["status"] for page in figures["pages"]} <= {200, 303}, "a page that is not for now leads elsewhere"
    assert [page for page in opened if page["bytes"] > measures.MAX_BYTES] == []
    # Who has not signed in costs the database nothing.
    assert all((page["statements"] > 0) != page["route"].startswith("/desk/sign-in") for page in opened)
    assert sum(figures["script_bytes"].values()) < measures.MAX_SCRIPT_BYTES
    assert not list(server_folders.glob("newsletter-*")), "a folder was left behind"


def test_a_page_over_a_limit_is_named_with_its_figure():
    page = {"status": 200, "median_ms": 49.9, "p99_ms": 200, "bytes": 80_001}
    assert measures.exceeded_limits(page) == ["bytes 80,001 > 80,000"]
