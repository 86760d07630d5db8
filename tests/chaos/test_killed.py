"""Sign-ups while every process and server is killed: every visitor with a 202 gets one confirmation letter."""

import sys
from collections import Counter

import pytest

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.recording import GROUP_SIZE
from tests.chaos.service import CONNECTIONS, TIMEOUT, running_service
from tests.chaos.signups import Crowd
from tests.waiting import eventually

READERS = [f"reader{number}@example.org" for number in range(400)]


@pytest.mark.slow
def test_everything_is_killed_once_while_a_crowd_signs_up(
    restartable_postgresql, restartable_redis, smtp_sink, tmp_path
):
    with running_service(restartable_postgresql.url, restartable_redis.url, smtp_sink, tmp_path) as service:
        crowd = Crowd(service.processes.base_url, READERS)
        web, worker, beat = service.processes.processes
        with crowd.signing_up():
            eventually(lambda: service.deliveries(DeliveryStatus.CLAIMED), within=TIMEOUT)
            for number, victim in enumerate((worker, web, beat, restartable_redis, restartable_postgresql)):
                crowd.wait_for(number * len(READERS) // 5)
                victim.kill()
                victim.start()
        letters = service.letters_by_reader(len(READERS))
        assert letters.keys() == set(READERS)
        assert "lease expired" in worker.output(), "it was killed with claimed deliveries"
        doubled = letters.total() - len(READERS)
        sys.stdout.write(f"{crowd.retries} retries; {doubled} letters arrived twice\n")
        assert doubled <= CONNECTIONS + 2 * GROUP_SIZE


@pytest.mark.slow
def test_a_deployment_while_a_crowd_signs_up_sends_no_letter_twice(postgresql_url, redis_url, smtp_sink, tmp_path):
    with running_service(postgresql_url, redis_url, smtp_sink, tmp_path) as service:
        crowd = Crowd(service.processes.base_url, READERS)
        with crowd.signing_up():
            eventually(lambda: service.deliveries(DeliveryStatus.CLAIMED), within=TIMEOUT)
            for number, process in enumerate(service.processes.processes):
                crowd.wait_for(number * len(READERS) // 4)
                process.terminate()
                process.wait(within=10)
                process.start()
        assert service.letters_by_reader(len(READERS)) == Counter(READERS)


@pytest.mark.slow
def test_repeated_and_concurrent_migrations_refuse_no_sign_up(postgresql_url, redis_url, smtp_sink, tmp_path):
    readers = READERS[:200]
    with running_service(postgresql_url, redis_url, smtp_sink, tmp_path) as service:
        crowd = Crowd(service.processes.base_url, readers, pause=0.2)  # sign-ups last as long as the migrations
        with crowd.signing_up():
            while not crowd.is_served():
                both = [service.command("migrate", name=f"migrate-{which}") for which in (1, 2)]
                assert [one.wait() for one in both] == [0, 0], [one.output() for one in both]
        assert crowd.retries == 0
        assert service.letters_by_reader(len(readers)) == Counter(readers)
