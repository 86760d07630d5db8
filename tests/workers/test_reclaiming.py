"""Every worker checks the leases of all others, however seldom it is woken."""

import threading
from dataclasses import replace

from sqlalchemy import select, update

from newsletter.mail.delivery import claims
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, LeaseMonitor, Worker
from tests.builders import a_worker, owed
from tests.clock import NOON
from tests.transports import FakeMonotonic
from tests.waiting import eventually
from workers import jobs
from workers.repeating import Repeating


def status(service) -> DeliveryStatus:
    with service.site.database.reading() as session:
        return session.scalars(select(Delivery.status)).one()


def add_a_letter_of_a_stopped_worker(service) -> None:
    with service.site.database.writing() as session:
        owed(session, 1)
        claims.claim(session, a_worker(session), limit=1, urgent=False, key="k1", now=NOON)


def test_letters_of_a_stopped_worker_are_reclaimed_after_the_lease_although_no_queue_is_woken(service):
    add_a_letter_of_a_stopped_worker(service)
    monotonic = FakeMonotonic()
    worker = replace(service.context, lease_monitor=LeaseMonitor(monotonic))
    begun = monotonic.now

    def check() -> None:
        jobs.attempt(jobs.reclaim_expired_leases, worker)
        if status(service) is DeliveryStatus.CLAIMED:
            monotonic.now += HEARTBEAT_INTERVAL

    lease_check = Repeating(check, every=0.01, name="lease_check")
    lease_check.start()
    eventually(lambda: status(service) is DeliveryStatus.QUEUED)
    lease_check.close()
    assert monotonic.now - begun <= LEASE_DURATION + 2 * HEARTBEAT_INTERVAL
    eventually(lambda: not any(thread.name == "lease_check" for thread in threading.enumerate()))


def test_if_all_workers_see_a_lease_expire_one_reclaims_its_letters(service, caplog):
    add_a_letter_of_a_stopped_worker(service)
    monotonic = FakeMonotonic()
    crowd = [replace(service.context, lease_monitor=LeaseMonitor(monotonic)) for _ in range(20)]
    for _ in range(int(LEASE_DURATION / HEARTBEAT_INTERVAL) + 2):
        for worker in crowd:
            jobs.attempt(jobs.reclaim_expired_leases, worker)
        monotonic.now += HEARTBEAT_INTERVAL
    with service.site.database.reading() as session:
        assert session.scalars(select(Delivery.deaths)).one() == 1
    logged = [record for record in caplog.records if "lease expired" in record.getMessage()]
    assert len(logged) == 1


def test_a_worker_that_has_to_end_checks_no_leases(service):
    with service.site.database.writing() as session:
        a_worker(session)
        session.execute(update(Worker).values(beats=3))
    ending = replace(service.context, stop=threading.Event())
    ending.stop.set()
    jobs.attempt(jobs.reclaim_expired_leases, ending)
    assert ending.lease_monitor._unchanged == {}
