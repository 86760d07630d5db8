"""A worker's lease lasts as long as its heartbeat count rises, and expires when it stops."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError

from newsletter.mail.delivery import claims, leases, reclaiming
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, Heartbeat, LeaseMonitor, Worker
from tests.builders import a_worker, owed
from tests.clock import NOON
from tests.waiting import TIMEOUT, eventually


def beats(reading, worker: int | None = None) -> int:
    some = select(Worker.beats)
    with reading() as session:
        return session.scalars(some if worker is None else some.where(Worker.id == worker)).one()


@pytest.fixture
def heartbeat(begin):
    heartbeat = Heartbeat(begin, every=0.01)
    yield heartbeat
    heartbeat.close()


def test_a_process_registers_once_however_many_threads_ask(heartbeat, reading):
    start = threading.Barrier(8)
    workers = []

    def ask() -> None:
        start.wait(TIMEOUT)
        workers.append(heartbeat.worker(now=NOON))

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(TIMEOUT)
    with reading() as session:
        assert workers == [session.scalars(select(Worker.id)).one()] * 8


def test_two_processes_are_two_workers(begin):
    heartbeats = Heartbeat(begin), Heartbeat(begin)
    assert len({heartbeat.worker(now=NOON) for heartbeat in heartbeats}) == 2
    for heartbeat in heartbeats:
        heartbeat.close()


def test_a_process_that_never_sends_is_not_registered(heartbeat, reading):
    with reading() as session:
        assert session.scalars(select(Worker)).all() == []


def test_the_heartbeat_count_rises_until_the_process_ends(heartbeat, reading):
    heartbeat.worker(now=NOON)
    eventually(lambda: beats(reading) >= 3)
    heartbeat.close()
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_the_heartbeat_survives_a_database_that_is_away(begin, reading):
    failures = [OperationalError("", {}, Exception("away")) for _ in range(3)]

    @contextmanager
    def failing():
        if worker and failures:
            raise failures.pop()
        with begin() as session:
            yield session

    worker = None
    heartbeat = Heartbeat(failing, every=0.01)
    worker = heartbeat.worker(now=NOON)
    eventually(lambda: not failures and beats(reading) >= 1)
    heartbeat.close()


def test_a_worker_whose_row_is_lost_is_registered_again(heartbeat, begin, reading):
    lost = heartbeat.worker(now=NOON)
    with begin() as session:
        session.execute(delete(Worker))
        # The restored database assigns the id again.
        another = {
            "id": lost,
            "host": "another",
            "pid": 1,
            "beats": 0,
            "since": NOON,
        }  # the restored database assigns the id again
        session.execute(insert(Worker).values(another))
    eventually(lambda: heartbeat.worker(now=NOON) != lost)
    eventually(lambda: beats(reading, heartbeat.worker(now=NOON)) >= 2)
    with reading() as session:
        assert session.scalars(select(Worker.beats).where(Worker.host == "another")).one() == 0


class Clock:
    """A monotonic clock."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class MonitoredWorkers:
    """A lease monitor that checks every five seconds, and workers that have claimed one letter each."""

    def __init__(self, begin, reading, number: int) -> None:
        self.begin, self.reading = begin, reading
        self.clock = Clock()
        self.monitor = LeaseMonitor(self.clock)
        with begin() as session:
            owed(session, number)
            self.workers = [a_worker(session) for _ in range(number)]
            for worker in self.workers:
                claims.claim(session, worker, limit=1, urgent=False, key="k1", now=NOON)

    def check(self, *, beating: tuple[int, ...] = (), after: float = HEARTBEAT_INTERVAL) -> list[int]:
        self.clock.time += after
        with self.begin() as session:
            session.execute(update(Worker).where(Worker.id.in_(beating)).values(beats=Worker.beats + 1))
        with self.reading() as session:
            return self.monitor.expired(session)


def test_a_lease_expires_after_thirty_seconds_without_a_heartbeat_and_not_while_there_is_one(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 2)
    stopped, living = monitored.workers
    checks = int(LEASE_DURATION / HEARTBEAT_INTERVAL)
    assert [monitored.check(beating=(living,)) for _ in range(checks)] == [[]] * checks
    assert [monitored.check(beating=(living,)) for _ in range(50)] == [[stopped]] * 50


def test_one_heartbeat_in_thirty_seconds_is_enough(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    (slow,) = monitored.workers
    for _ in range(10):
        assert monitored.check(beating=(slow,)) == []
        assert [monitored.check() for _ in range(5)] == [[]] * 5


def test_a_monitor_that_was_away_does_not_count_that_time(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    (living,) = monitored.workers
    assert monitored.check() == []
    assert monitored.check(after=3600) == [], "no heartbeat could be seen while the database was away"
    assert monitored.check(beating=(living,)) == []


def test_a_monitor_that_checks_rarely_finds_expired_leases_as_well(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    assert [monitored.check(after=600) for _ in range(5)][-1] == monitored.workers


def test_a_lease_whose_letters_were_reclaimed_is_not_reported_again(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    (stopped,) = monitored.workers
    assert [monitored.check() for _ in range(8)][-1] == [stopped]
    with begin() as session:
        assert reclaiming.reclaim(session, [stopped], now=NOON) == 1
    assert [monitored.check() for _ in range(20)] == [[]] * 20


def test_a_worker_whose_lease_ended_claims_nothing_until_its_next_heartbeat(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    (frozen,) = monitored.workers
    with begin() as session:
        reclaiming.reclaim(session, [frozen], now=NOON)
        assert claims.claim(session, frozen, limit=1, urgent=False, key="k1", now=NOON) == []
        assert claims.claim_suspect(session, frozen, urgent=False, key="k1", now=NOON) == []


def test_a_heartbeat_renews_an_ended_lease(heartbeat, begin, reading):
    worker = heartbeat.worker(now=NOON)
    with begin() as session:
        owed(session, 1)
        leases.end_leases(session, [worker], now=NOON)
    before = beats(reading)
    eventually(lambda: beats(reading) > before + 1)
    with begin() as session:
        assert len(claims.claim(session, worker, limit=1, urgent=False, key="k1", now=NOON)) == 1


def test_a_lease_that_expired_lasts_again_after_a_heartbeat(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    (frozen,) = monitored.workers
    assert [monitored.check() for _ in range(8)][-1] == [frozen]
    assert monitored.check(beating=(frozen,)) == []
    assert monitored.check() == []


def test_the_clocks_of_other_machines_do_not_matter(begin, reading):
    monitored = MonitoredWorkers(begin, reading, 1)
    with begin() as session:
        session.execute(update(Worker).values(since=NOON - timedelta(days=9)))
    assert monitored.check() == []
