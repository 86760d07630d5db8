"""What the workers' processes say: an object a line on stderr, and nothing beside it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_process_says_when_it_begins_and_each_line_is_an_object(command, redis_url, sqlite_url, tmp_path):
    given = {"REDIS_URL": redis_url, "DATABASE_URL": sqlite_url, "DATA_DIR": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    spoken, drawn = tmp_path / "stderr", tmp_path / "stdout"
    with spoken.open("w") as stderr, drawn.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "workers", command, "--loglevel=INFO"],
            env=environment | {f"NEWSLETTER_{name}": value for name, value in given.items()},
            stdout=stdout,
            stderr=stderr,
        )
        with process:
            try:
                eventually(lambda: f"{command} started" in heard(spoken), within=30)
            finally:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert drawn.read_text() == ""


def heard(file: Path) -> list[str]:
    """The events so far; a line that is being written is left for later."""
    whole = file.read_text().rpartition("\n")[0]
    return [json.loads(line)["event"] for line in whole.splitlines()]
