"""Each worker watches the leases of all others by itself, however seldom it is woken."""

import threading
from dataclasses import replace

from sqlalchemy import select, update

from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, LeaseMonitor, Worker
from tests.builders import a_worker, owed
from tests.clock import NOON
from tests.transports import Ticks
from tests.waiting import eventually
from workers import jobs
from workers.repeating import Repeating


def status(stage) -> DeliveryStatus:
    with stage.site.database.reading() as session:
        return session.scalars(select(Delivery.status)).one()


def with_a_letter_in_dead_hands(stage) -> None:
    with stage.site.database.writing() as session:
        owed(session, 1)
        claims.claim(session, a_worker(session), limit=1, urgent=False, key="k1", now=NOON)


def test_letters_of_the_dead_go_back_within_the_lease_though_no_queue_is_woken(stage):
    with_a_letter_in_dead_hands(stage)
    ticks = Ticks()
    worker = replace(stage.context, watch=LeaseMonitor(ticks))
    begun, looks = ticks.now, threading.Semaphore(0)

    def look() -> None:
        jobs.attempt(jobs.reclaim_expired_leases, worker)
        looks.release()
        if status(stage) is DeliveryStatus.CLAIMED:
            ticks.now += HEARTBEAT_INTERVAL

    watching = Repeating(look, every=0.01, name="watching")
    watching.start()
    eventually(lambda: status(stage) is DeliveryStatus.QUEUED)
    watching.close()
    assert ticks.now - begun <= LEASE_DURATION + 2 * HEARTBEAT_INTERVAL
    assert not any(thread.name == "watching" for thread in threading.enumerate())


def test_of_all_who_miss_a_carrier_one_hands_its_letters_back(stage, caplog):
    with_a_letter_in_dead_hands(stage)
    ticks = Ticks()
    crowd = [replace(stage.context, watch=LeaseMonitor(ticks)) for _ in range(20)]
    for _ in range(int(LEASE_DURATION / HEARTBEAT_INTERVAL) + 2):
        for worker in crowd:
            jobs.attempt(jobs.reclaim_expired_leases, worker)
        ticks.now += HEARTBEAT_INTERVAL
    with stage.site.database.reading() as session:
        assert session.scalars(select(Delivery.deaths)).one() == 1
    said = [record for record in caplog.records if "lease expired" in record.getMessage()]
    assert len(said) == 1


def test_a_worker_that_has_to_end_looks_no_more(stage):
    with stage.site.database.writing() as session:
        a_worker(session)
        session.execute(update(Worker).values(beats=3))
    ending = replace(stage.context, stop=threading.Event())
    ending.stop.set()
    jobs.attempt(jobs.reclaim_expired_leases, ending)
    assert ending.watch._quiet == {}
