"""The workers' processes write one JSON object per line to stderr, and nothing to stdout."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_process_logs_its_start_and_each_line_is_a_json_object(command, redis_url, sqlite_url, tmp_path):
    options = {"REDIS_URL": redis_url, "DATABASE_URL": sqlite_url, "DATA_DIR": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    errors, output = tmp_path / "stderr", tmp_path / "stdout"
    with errors.open("w") as stderr, output.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "workers", command, "--loglevel=INFO"],
            env=environment | {f"NEWSLETTER_{name}": value for name, value in options.items()},
            stdout=stdout,
            stderr=stderr,
        )
        with process:
            try:
                eventually(lambda: f"{command} started" in events(errors))
            finally:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    assert output.read_text() == ""


def events(file: Path) -> list[str]:
    """Return the events in all complete lines."""
    whole = file.read_text().rpartition("\n")[0]
    return [json.loads(line)["event"] for line in whole.splitlines()]
