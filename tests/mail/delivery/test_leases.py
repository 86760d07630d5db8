"""Processes that carry: each is heard as long as it lives, and missed when it is gone."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError

from newsletter.mail.delivery import claims, leases, results
from newsletter.mail.delivery.leases import HEARTBEAT_INTERVAL, LEASE_DURATION, Heartbeat, LeaseMonitor, Worker
from tests.builders import a_carrier, owed
from tests.clock import NOON
from tests.waiting import eventually


def beats(reading, carrier: int | None = None) -> int:
    some = select(Worker.beats)
    with reading() as session:
        return session.scalars(some if carrier is None else some.where(Worker.id == carrier)).one()


@pytest.fixture
def heartbeat(begin):
    heartbeat = Heartbeat(begin, every=0.01)
    yield heartbeat
    heartbeat.close()


def test_a_process_is_one_carrier_however_many_ask(heartbeat, reading):
    start = threading.Barrier(8)
    found = []

    def ask() -> None:
        start.wait(5)
        found.append(heartbeat.carrier(now=NOON))

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(5)
    with reading() as session:
        assert found == [session.scalars(select(Worker.id)).one()] * 8


def test_two_processes_are_two_carriers(begin):
    hearts = Heartbeat(begin), Heartbeat(begin)
    assert len({heartbeat.carrier(now=NOON) for heartbeat in hearts}) == 2
    for heartbeat in hearts:
        heartbeat.close()


def test_who_never_carries_is_no_carrier(heartbeat, reading):
    with reading() as session:
        assert session.scalars(select(Worker)).all() == []


def test_beats_rise_while_the_process_lives_and_not_after(heartbeat, reading):
    heartbeat.carrier(now=NOON)
    eventually(lambda: beats(reading) >= 3)
    heartbeat.close()
    assert not any(thread.name == "heart" for thread in threading.enumerate())


def test_the_heart_survives_a_database_that_is_away(begin, reading):
    failures = [OperationalError("", {}, Exception("away")) for _ in range(3)]

    @contextmanager
    def failing():
        if carrier and failures:
            raise failures.pop()
        with begin() as session:
            yield session

    carrier = None
    heartbeat = Heartbeat(failing, every=0.01)
    carrier = heartbeat.carrier(now=NOON)
    eventually(lambda: not failures and beats(reading) >= 1)
    heartbeat.close()


def test_who_is_not_in_the_database_any_more_is_registered_anew(heartbeat, begin, reading):
    lost = heartbeat.carrier(now=NOON)
    with begin() as session:
        session.execute(delete(Worker))
        another = {"id": lost, "host": "another", "pid": 1, "beats": 0, "since": NOON}  # numbers are given out again
        session.execute(insert(Worker).values(another))
    eventually(lambda: heartbeat.carrier(now=NOON) != lost)
    eventually(lambda: beats(reading, heartbeat.carrier(now=NOON)) >= 2)
    with reading() as session:
        assert session.scalars(select(Worker.beats).where(Worker.host == "another")).one() == 0


class Clock:
    """A watcher's monotonic clock."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Watched:
    """A watcher that looks every five seconds, and carriers that hold a letter each."""

    def __init__(self, begin, reading, carriers: int) -> None:
        self.begin, self.reading = begin, reading
        self.clock = Clock()
        self.watch = LeaseMonitor(self.clock)
        with begin() as session:
            owed(session, carriers)
            self.carriers = [a_carrier(session) for _ in range(carriers)]
            for carrier in self.carriers:
                claims.claim(session, carrier, limit=1, urgent=False, key="k1", now=NOON)

    def look(self, *, beating: tuple[int, ...] = (), after: float = HEARTBEAT_INTERVAL) -> list[int]:
        self.clock.time += after
        with self.begin() as session:
            session.execute(update(Worker).where(Worker.id.in_(beating)).values(beats=Worker.beats + 1))
        with self.reading() as session:
            return self.watch.silent(session)


def test_who_holds_a_letter_and_is_silent_for_thirty_seconds_is_missed_and_the_living_never(begin, reading):
    watched = Watched(begin, reading, 2)
    dead, living = watched.carriers
    looks = int(LEASE_DURATION / HEARTBEAT_INTERVAL)
    assert [watched.look(beating=(living,)) for _ in range(looks)] == [[]] * looks
    assert [watched.look(beating=(living,)) for _ in range(50)] == [[dead]] * 50


def test_one_beat_in_thirty_seconds_is_enough(begin, reading):
    watched = Watched(begin, reading, 1)
    (slow,) = watched.carriers
    for _ in range(10):
        assert watched.look(beating=(slow,)) == []
        assert [watched.look() for _ in range(5)] == [[]] * 5


def test_a_watcher_that_was_away_itself_does_not_hold_it_against_the_others(begin, reading):
    watched = Watched(begin, reading, 1)
    (living,) = watched.carriers
    assert watched.look() == []
    assert watched.look(after=3600) == [], "nobody could be heard while the database was away"
    assert watched.look(beating=(living,)) == []


def test_who_looks_rarely_finds_the_dead_as_well(begin, reading):
    watched = Watched(begin, reading, 1)
    assert [watched.look(after=600) for _ in range(5)][-1] == watched.carriers


def test_whose_letters_were_handed_back_is_not_missed_any_more(begin, reading):
    watched = Watched(begin, reading, 1)
    (dead,) = watched.carriers
    assert [watched.look() for _ in range(8)][-1] == [dead]
    with begin() as session:
        assert results.reclaim(session, [dead], now=NOON) == 1
    assert [watched.look() for _ in range(20)] == [[]] * 20


def test_who_was_taken_for_dead_claims_nothing_before_it_has_beaten_again(begin, reading):
    watched = Watched(begin, reading, 1)
    (frozen,) = watched.carriers
    with begin() as session:
        results.reclaim(session, [frozen], now=NOON)
        assert claims.claim(session, frozen, limit=1, urgent=False, key="k1", now=NOON) == []
        assert claims.claim_suspect(session, frozen, urgent=False, key="k1", now=NOON) == []


def test_a_heart_that_beats_on_takes_its_carrier_back_from_the_dead(heartbeat, begin, reading):
    carrier = heartbeat.carrier(now=NOON)
    with begin() as session:
        owed(session, 1)
        leases.end_leases(session, [carrier], now=NOON)
    before = beats(reading)
    eventually(lambda: beats(reading) > before + 1)
    with begin() as session:
        assert len(claims.claim(session, carrier, limit=1, urgent=False, key="k1", now=NOON)) == 1


def test_who_was_taken_for_dead_and_beats_again_is_alive(begin, reading):
    watched = Watched(begin, reading, 1)
    (frozen,) = watched.carriers
    assert [watched.look() for _ in range(8)][-1] == [frozen]
    assert watched.look(beating=(frozen,)) == []
    assert watched.look() == []


def test_times_of_other_machines_are_never_compared(begin, reading):
    watched = Watched(begin, reading, 1)
    with begin() as session:
        session.execute(update(Worker).values(since=NOON - timedelta(days=9)))
    assert watched.look() == []
