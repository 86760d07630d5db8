"""Sign-ups arrive while everything behind them is killed: who got a 202 gets their letter, once."""

import sys
from collections import Counter

import pytest

from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.mail.delivery.recording import GROUP
from tests.chaos.service import CONNECTIONS, PATIENCE, service
from tests.chaos.signups import Crowd
from tests.waiting import eventually

READERS = [f"reader{number}@example.org" for number in range(1000)]


@pytest.mark.slow
def test_everything_is_killed_once_while_a_thousand_sign_up(
    restartable_postgresql, restartable_redis, smtp_sink, tmp_path
):
    with service(restartable_postgresql.url, restartable_redis.url, smtp_sink, tmp_path) as town:
        crowd = Crowd(town.processes.base_url, READERS)
        web, worker, beat = town.processes.processes
        with crowd.arriving():
            eventually(lambda: town.deliveries(DeliveryStatus.CLAIMED), within=PATIENCE)
            for number, victim in enumerate((worker, web, beat, restartable_redis, restartable_postgresql)):
                crowd.wait_for(number * 200)
                victim.kill()
                victim.start()
        got = town.in_the_end(len(READERS))
        assert got.keys() == set(READERS)
        assert "lease expired" in worker.output(), "it was killed in the middle of its work"
        twice = got.total() - len(READERS)
        sys.stdout.write(f"{crowd.turned_away} times somebody tried again; {twice} letters came twice\n")
        assert twice <= CONNECTIONS + 2 * GROUP


@pytest.mark.slow
def test_a_deployment_while_a_thousand_sign_up_sends_no_letter_twice(postgresql_url, redis_url, smtp_sink, tmp_path):
    with service(postgresql_url, redis_url, smtp_sink, tmp_path) as town:
        crowd = Crowd(town.processes.base_url, READERS)
        with crowd.arriving():
            eventually(lambda: town.deliveries(DeliveryStatus.CLAIMED), within=PATIENCE)
            for number, process in enumerate(town.processes.processes):
                crowd.wait_for(number * 300)
                process.terminate()
                process.wait(within=10)
                process.start()
        assert town.in_the_end(len(READERS)) == Counter(READERS)


@pytest.mark.slow
def test_migrating_again_and_twice_at_once_turns_nobody_away(postgresql_url, redis_url, smtp_sink, tmp_path):
    readers = READERS[:300]
    with service(postgresql_url, redis_url, smtp_sink, tmp_path) as town:
        crowd = Crowd(town.processes.base_url, readers, pause=0.2)  # they come for as long as migrating takes
        with crowd.arriving():
            while not crowd.is_served():
                both = [town.command("migrate", name=f"migrate-{which}") for which in (1, 2)]
                assert [one.wait() for one in both] == [0, 0], [one.output() for one in both]
        assert crowd.turned_away == 0
        assert town.in_the_end(len(readers)) == Counter(readers)
