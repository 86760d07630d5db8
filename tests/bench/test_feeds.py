"""`newsletter bench feeds` with few feeds: all are read in every round, and every figure is present."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FEEDS, ROUNDS = 30, 2


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_all_feeds_are_read_and_every_figure_is_present(request, tmp_path: Path, database):
    words = ["--feeds", str(FEEDS), "--rounds", str(ROUNDS), "--folder", str(tmp_path), "--json"]
    if database == "postgresql":
        words += ["--database", request.getfixturevalue("postgresql_url")]
    command = [sys.executable, "-m", "newsletter.cli", "bench", "feeds", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["failed"], figures["missing_articles"], len(figures["rounds"])) == (0, 0, ROUNDS)
    assert figures["feeds_per_second"] > 0
    costs = figures["rounds"][-1]["cpu_ms_per_feed"]
    assert costs["downloads"] > 0
    assert any(name.startswith("postgresql") for name in costs) == (database == "postgresql")
    assert figures["rounds"][-1]["memory_mb"]["worker"]["last"] > 0
