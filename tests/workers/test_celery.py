"""Workers and beat as processes of their own, on a real Redis that freezes, dies and forgets."""

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

AWAY = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"
AGAIN = 40  # seconds for everybody to find a Redis that is back, on a busy machine


def test_a_letter_leaves_at_a_ring_where_no_beat_runs(house):
    house.worker()
    house.sign_up()
    house.wake()
    eventually(lambda: len(house.letters()) == 1, within=20)


def test_a_worker_may_answer_in_some_queues_only(house):
    house.worker("worker", "-Q", "urgent")
    house.sign_up()
    house.wake(Queue.UPKEEP)
    house.wake(Queue.URGENT)
    eventually(house.letters, within=20)
    with Redis.from_url(house.redis_url) as redis:
        assert redis.llen("upkeep") == 1
        asked = redis.info("commandstats")
    assert "cmdstat_hset" not in asked, "Redis is told nothing of a wake-up that is being answered"
    assert "cmdstat_publish" not in asked, "a worker talks to no other one"


def test_the_beat_wakes_every_queue_and_keeps_no_file(house):
    house.beat()
    with Redis.from_url(house.redis_url) as redis:
        eventually(lambda: all(redis.llen(queue.value) for queue in Queue), within=20)
    assert {file.name for file in house.folder.iterdir()} <= {"beat.out", "beat.err", *of_sqlite(house)}


def of_sqlite(house):
    return {file.name for file in house.folder.iterdir() if ".sqlite" in file.name or ".db" in file.name}


@contextmanager
def emptied(url):
    with Redis.from_url(url) as redis:
        redis.flushall()
    yield


@pytest.mark.parametrize("trouble", [frozen, gone, emptied])
def test_whatever_redis_does_nothing_is_lost_and_nobody_is_started_again(house, trouble):
    worker, beat = house.worker(), house.beat()
    house.sign_up(2)
    eventually(lambda: len(house.letters()) == 2, within=20)
    with trouble(house.redis_url):
        house.sign_up(2)
        house.wake()
    eventually(lambda: len(house.letters()) == 4, within=AGAIN)
    house.sign_up()
    eventually(lambda: len(house.letters()) == 5, within=AGAIN)
    assert worker.runs
    assert beat.runs
    said = worker.output() + beat.output()
    assert "Traceback" not in said


@pytest.mark.parametrize("trouble", [frozen, gone, emptied])
def test_a_ring_goes_on_while_redis_is_away_and_is_no_trouble_when_it_is_back(house, trouble):
    with house.database.writing() as session:
        owed(session, 6)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 0.2)}) as relay:
        worker = house.worker(NEWSLETTER_SMTP_URL=f"smtp://{relay.host}:{relay.port}")
        house.wake(Queue.BULK)
        eventually(lambda: relay.letters, within=20)
        with trouble(house.redis_url):
            eventually(lambda: len(relay.letters) == 6, within=20)
            house.sign_up()
        eventually(lambda: house.wake() or len(relay.letters) == 7, within=AGAIN)
    assert worker.runs
    assert "Traceback" not in worker.output()


def test_a_redis_that_is_away_when_everybody_starts_is_found_when_it_comes(house):
    with gone(house.redis_url):
        worker, beat = house.start("worker", *WORKER), house.beat()
        house.sign_up()
        eventually(lambda: "Redis cannot be reached" in worker.output(), within=40)
        eventually(lambda: "A wake-up was lost" in beat.output(), within=40)
    eventually(house.letters, within=AGAIN)
    for said, line in ((worker.output(), "Redis cannot be reached"), (beat.output(), "A wake-up was lost")):
        assert said.count(line) == 1, "each warns once a minute"
        assert '"level": "error"' not in said
        assert "Traceback" not in said


@pytest.mark.postgresql
def test_two_beats_and_two_workers_make_one_letter_of_each_sign_up(house_on, postgresql_url):
    house = house_on(postgresql_url)
    house.sign_up(150)
    for name in ("one", "two"):
        house.worker(f"worker {name}")
        house.beat(f"beat {name}")
    eventually(lambda: house.statuses().count(DeliveryStatus.SENT) == 150, within=60)
    assert len(house.letters()) == len(house.statuses()) == 150


@pytest.mark.parametrize("command", [WORKER, BEAT])
def test_without_redis_the_start_is_refused_in_one_sentence(house, command):
    (line,) = last_words(house, command, NEWSLETTER_REDIS_URL="")
    assert line.startswith("NEWSLETTER_REDIS_URL: not set.")


WEB = ("uvicorn", "--factory", "newsletter.web:create_app", "--port", "0")


@pytest.mark.parametrize("command", [WORKER, WEB], ids=["worker", "web"])
def test_a_database_that_nobody_migrated_ends_the_start_with_one_line(house, command):
    (line,) = last_words(house, command, NEWSLETTER_DATABASE_URL=f"sqlite:///{house.folder}/empty.db")
    assert line == "The database is not up to date. Run first: newsletter migrate"


@pytest.mark.parametrize("command", [WORKER, WEB], ids=["worker", "web"])
def test_a_key_that_is_not_the_databases_ends_the_start_with_one_line(house, command):
    house.worker()
    (line,) = last_words(house, command, NEWSLETTER_SECRET_KEYS="k1:" + "t" * 40)
    assert "k1 is another key than before" in line


@pytest.mark.parametrize("command", [WORKER, BEAT, WEB], ids=["worker", "beat", "web"])
def test_a_setting_that_is_wrong_ends_the_start_with_one_message(house, command):
    lines = last_words(house, command, NEWSLETTER_NONSENSE="1")
    assert "NEWSLETTER_NONSENSE" in " ".join(lines)
    assert "Traceback" not in " ".join(lines)


def test_a_database_that_is_away_keeps_the_site_from_starting_and_one_line_says_why(house):
    (line,) = last_words(house, WEB, NEWSLETTER_DATABASE_URL=AWAY)
    assert line.startswith("NEWSLETTER_DATABASE_URL: the database cannot be used: ")
    assert "secret" not in line


def last_words(house, command, **settings):
    """What a process says that ends at its start."""
    process = house.start("refused", *command, **settings)
    assert process.wait(40) == 2
    return [line for line in process.output().splitlines() if "SecurityWarning" not in line]  # Celery warns root


def test_a_database_that_is_away_keeps_no_worker_from_starting(house):
    worker = house.worker(NEWSLETTER_DATABASE_URL=AWAY)
    house.wake()
    eventually(lambda: "the jobs of queue urgent cannot run" in worker.output(), within=20)
    assert worker.runs
    assert "Traceback" not in worker.output()


def test_importing_the_workers_reads_no_settings():
    command = [sys.executable, "-c", "import workers.celery"]
    assert subprocess.run(command, env={"NEWSLETTER_NONSENSE": "1"}, check=False).returncode == 0
