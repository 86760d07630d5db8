"""Sign-ups arrive while everything behind them is killed: who got a 202 gets their letter, once."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.database import Database
from newsletter.post.deliveries import Delivery, Status
from newsletter.post.recorder import GROUP
from tests.chaos.crowd import Crowd
from tests.journeys.town import founded
from tests.processes import Process, Production, production
from tests.servers.smtp_sink import SmtpSink
from tests.waiting import eventually

READERS = [f"reader{number}@example.org" for number in range(1000)]
CONNECTIONS = 1  # to the relay
RATE = 200  # letters a second: slow enough for a worker to be killed with letters in its hands
PATIENCE = 120  # seconds: claims of a carrier that was killed go back after half a minute of silence

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.redis, pytest.mark.smtp]


@contextmanager
def service(database_url: str, redis_url: str, relay: SmtpSink, folder: Path) -> Iterator[tuple[Production, Database]]:
    relay_url = f"{relay.url}?rate={RATE}&connections={CONNECTIONS}"
    with (
        founded(database_url) as database,
        production(database_url, redis_url, relay_url, folder, level="warning") as made,
    ):
        yield made, database


def deliveries(database: Database, status: Status) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(Delivery.status == status)) or 0


def in_the_end(database: Database, sink: SmtpSink, made: Production) -> Counter[str]:
    """How often each reader was written to, once all letters are sent; those to one reader are the same letter."""
    eventually(lambda: deliveries(database, Status.SENT) == len(READERS), within=PATIENCE, every=0.25)
    letters = eventually(lambda: got if len(got := sink.messages()) >= len(READERS) else [], within=PATIENCE, every=0.5)
    assert len({(letter["To"], letter["Message-ID"]) for letter in letters}) == len(READERS)
    doctor = Process("doctor", ["newsletter", "doctor"], made.settings, Path(made.settings["NEWSLETTER_DATA_DIR"]))
    doctor.start()
    assert (doctor.wait(), doctor.output()[:2]) == (0, "ok")
    return Counter(letter["To"] for letter in letters)


def test_everything_is_killed_once_while_a_thousand_sign_up(mortal_postgresql, mortal_redis, smtp_sink, tmp_path):
    with service(mortal_postgresql.url, mortal_redis.url, smtp_sink, tmp_path) as (made, database):
        crowd = Crowd(made.base_url, READERS)
        with crowd.arriving():
            eventually(lambda: deliveries(database, Status.CLAIMED), within=PATIENCE)
            for number, victim in enumerate((made.worker, made.web, made.beat, mortal_redis, mortal_postgresql)):
                crowd.wait_for(number * 200)
                victim.kill()
                victim.start()
        got = in_the_end(database, smtp_sink, made)
        assert got.keys() == set(READERS)
        assert "letters were handed back" in made.worker.output(), "the worker was killed in the middle of its work"
        twice = got.total() - len(READERS)
        sys.stdout.write(f"{crowd.turned_away} times somebody tried again; {twice} letters came twice\n")
        assert twice <= CONNECTIONS + 2 * GROUP


def test_a_deployment_while_a_thousand_sign_up_sends_no_letter_twice(postgresql_url, redis_url, smtp_sink, tmp_path):
    with service(postgresql_url, redis_url, smtp_sink, tmp_path) as (made, database):
        crowd = Crowd(made.base_url, READERS)
        with crowd.arriving():
            eventually(lambda: deliveries(database, Status.CLAIMED), within=PATIENCE)
            for number, process in enumerate(made.processes):
                crowd.wait_for(number * 300)
                process.terminate()
                process.wait(within=10)
                process.start()
        assert in_the_end(database, smtp_sink, made) == Counter(READERS)
