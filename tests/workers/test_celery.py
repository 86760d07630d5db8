"""Workers and beat as processes of their own, on a real Redis."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from redis import Redis

from newsletter import broker
from newsletter.doorbell import Room
from tests.waiting import eventually


@contextmanager
def celery(*command: str, **settings: str) -> Iterator[subprocess.Popen]:
    """A running `celery -A workers ...`; its log is its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "workers", *command],
        env=environment | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def line_with(process: subprocess.Popen, words: str) -> str:
    return next(line for line in process.stdout if words in line)


@pytest.fixture
def environment(redis_url, sqlite_url, tmp_path):
    return {
        "NEWSLETTER_REDIS_URL": redis_url,
        "NEWSLETTER_DATABASE_URL": sqlite_url,
        "NEWSLETTER_DATA_DIR": str(tmp_path),
    }


def test_a_worker_answers_a_ring_from_another_process(environment, redis_url):
    with (
        celery("worker", "--loglevel=DEBUG", **environment) as worker,
        broker.connect(redis_url) as app,
        closing(broker.doorbell(app)) as doorbell,
    ):
        doorbell.ring(Room.URGENT)
        assert "Task workers.urgent" in line_with(worker, "succeeded")


def test_the_beat_rings_in_every_room_and_keeps_no_file(environment, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with celery("beat", **environment), Redis.from_url(redis_url) as redis:
        eventually(lambda: all(redis.llen(room) for room in Room), within=20)
    assert not list(tmp_path.glob("*beat*"))


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_without_redis_the_start_is_refused_in_one_sentence(command):
    with celery(command, NEWSLETTER_REDIS_URL="") as process:
        words = process.communicate()[0].splitlines()
    assert process.returncode == 2
    assert len(words) == 1
    assert words[0].startswith("NEWSLETTER_REDIS_URL: not set.")


def test_importing_the_workers_reads_no_settings():
    command = [sys.executable, "-c", "import workers.celery"]
    assert subprocess.run(command, env={"NEWSLETTER_NONSENSE": "1"}, check=False).returncode == 0
