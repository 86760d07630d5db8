"""Workers and beat as separate processes, with a real Redis that freezes, dies and loses its data."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
from redis import Redis

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.queues.wakeups import Queue
from tests.builders import owed
from tests.processes import BEAT, WORKER
from tests.servers.redis import frozen, gone
from tests.smtp_server import USUAL, ScriptedServer, late
from tests.waiting import eventually

UNREACHABLE = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"


def test_a_wake_up_sends_a_letter_without_beat(installation):
    installation.worker()
    installation.sign_up()
    installation.wake()
    eventually(lambda: len(installation.letters()) == 1)


def test_a_worker_may_serve_some_queues_only(installation):
    installation.worker("worker", "-Q", "urgent")
    installation.sign_up()
    installation.wake(Queue.UPKEEP)
    installation.wake(Queue.URGENT)
    eventually(installation.letters)
    with Redis.from_url(installation.redis_url) as redis:
        assert redis.llen("upkeep") == 1
        commands = redis.info("commandstats")
    assert "cmdstat_hset" not in commands, "nothing is written to Redis while a task runs"
    assert "cmdstat_publish" not in commands, "workers exchange no messages"


def test_the_beat_wakes_every_queue_and_keeps_no_file(installation):
    installation.beat()
    with Redis.from_url(installation.redis_url) as redis:
        eventually(lambda: all(redis.llen(queue.value) for queue in Queue))
    assert {file.name for file in installation.folder.iterdir()} <= {"beat.out", "beat.err", *of_sqlite(installation)}


def of_sqlite(installation):
    return {file.name for file in installation.folder.iterdir() if ".sqlite" in file.name or ".db" in file.name}


@contextmanager
def emptied(url):
    with Redis.from_url(url) as redis:
        redis.flushall()
    yield


@pytest.mark.parametrize("trouble", [frozen, gone, emptied])
def test_whatever_redis_does_nothing_is_lost_and_no_process_ends(installation, trouble):
    worker, beat = installation.worker(), installation.beat()
    installation.sign_up(2)
    eventually(lambda: len(installation.letters()) == 2)
    with trouble(installation.redis_url):
        installation.sign_up(2)
        installation.wake()
    eventually(lambda: len(installation.letters()) == 4)
    installation.sign_up()
    eventually(lambda: len(installation.letters()) == 5)
    assert worker.runs
    assert beat.runs
    assert "Traceback" not in worker.output() + beat.output()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [frozen, gone, emptied])
def test_sending_goes_on_while_redis_is_away_and_after_it_is_back(installation, trouble):
    with installation.database.writing() as session:
        owed(session, 6)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 0.2)}) as relay:
        worker = installation.worker(NEWSLETTER_SMTP_URL=f"smtp://{relay.host}:{relay.port}")
        installation.wake(Queue.BULK)
        eventually(lambda: relay.letters)
        with trouble(installation.redis_url):
            eventually(lambda: len(relay.letters) == 6)
            installation.sign_up()
        eventually(lambda: installation.wake() or len(relay.letters) == 7)
    assert worker.runs
    assert "Traceback" not in worker.output()


def test_a_redis_that_is_away_at_the_start_is_found_when_it_comes(installation):
    with gone(installation.redis_url):
        worker, beat = installation.start("worker", *WORKER), installation.beat()
        installation.sign_up()
        eventually(lambda: "Redis cannot be reached" in worker.output())
        eventually(lambda: "A wake-up was lost" in beat.output())
    eventually(installation.letters)
    for output, line in ((worker.output(), "Redis cannot be reached"), (beat.output(), "A wake-up was lost")):
        assert output.count(line) == 1, "each process warns once a minute"
        assert '"level": "error"' not in output
        assert "Traceback" not in output


@pytest.mark.postgresql
def test_two_beats_and_two_workers_send_one_letter_per_sign_up(installation_on, postgresql_url):
    installation = installation_on(postgresql_url)
    installation.sign_up(150)
    for name in ("one", "two"):
        installation.worker(f"worker {name}")
        installation.beat(f"beat {name}")
    eventually(lambda: installation.statuses().count(DeliveryStatus.SENT) == 150)
    assert len(installation.letters()) == len(installation.statuses()) == 150


@pytest.mark.parametrize("command", [WORKER, BEAT])
def test_without_redis_the_start_is_refused_in_one_line(installation, command):
    (line,) = output_of_failed_start(installation, command, NEWSLETTER_REDIS_URL="")
    assert line.startswith("NEWSLETTER_REDIS_URL: not set.")


WEB = ("uvicorn", "--factory", "newsletter.web:create_app", "--port", "0")


@pytest.mark.parametrize("command", [WORKER, WEB], ids=["worker", "web"])
def test_a_database_that_is_not_migrated_ends_the_start_with_one_line(installation, command):
    (line,) = output_of_failed_start(
        installation, command, NEWSLETTER_DATABASE_URL=f"sqlite:///{installation.folder}/empty.db"
    )
    assert line == "The database is not up to date. Run first: newsletter migrate"


@pytest.mark.parametrize("command", [WORKER, WEB], ids=["worker", "web"])
def test_a_key_that_does_not_fit_the_database_ends_the_start_with_one_line(installation, command):
    installation.worker()
    (line,) = output_of_failed_start(installation, command, NEWSLETTER_SECRET_KEYS="k1:" + "t" * 40)
    assert "k1 is another key than before" in line


@pytest.mark.parametrize("command", [WORKER, BEAT, WEB], ids=["worker", "beat", "web"])
def test_a_setting_that_is_wrong_ends_the_start_with_one_message(installation, command):
    lines = output_of_failed_start(installation, command, NEWSLETTER_NONSENSE="1")
    assert "NEWSLETTER_NONSENSE" in " ".join(lines)
    assert "Traceback" not in " ".join(lines)


def test_the_site_does_not_start_without_the_database_and_one_line_says_why(installation):
    (line,) = output_of_failed_start(installation, WEB, NEWSLETTER_DATABASE_URL=UNREACHABLE)
    assert line.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: ")
    assert "secret" not in line


def output_of_failed_start(installation, command, **settings):
    """Return the output of a process that ends at its start."""
    process = installation.start("refused", *command, **settings)
    assert process.wait() == 2
    return [line for line in process.output().splitlines() if "SecurityWarning" not in line]  # Celery warns root users


def test_a_worker_starts_without_the_database(installation):
    worker = installation.worker(NEWSLETTER_DATABASE_URL=UNREACHABLE)
    installation.wake()
    eventually(lambda: "the jobs of queue urgent cannot run" in worker.output())
    assert worker.runs
    assert "Traceback" not in worker.output()


def test_importing_the_workers_reads_no_settings():
    command = [sys.executable, "-c", "import workers.celery"]
    assert subprocess.run(command, env={"NEWSLETTER_NONSENSE": "1"}, check=False).returncode == 0
