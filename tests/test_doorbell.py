"""Ringing never waits, whatever the broker does."""

import json
import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from newsletter import broker
from newsletter.doorbell import CoalescingDoorbell, Room
from tests.servers.redis import frozen, gone
from tests.waiting import eventually


class Bell:
    """Something to ring that can be held, like a broker that does not answer."""

    def __init__(self) -> None:
        self.rung: list[Room] = []
        self.touched = threading.Event()
        self._free = threading.Event()
        self._free.set()

    def send(self, room: Room) -> None:
        self.touched.set()
        assert self._free.wait(5)
        self.rung.append(room)

    @contextmanager
    def held(self) -> Iterator[None]:
        self._free.clear()
        yield
        self._free.set()


def test_a_ring_is_sent():
    bell = Bell()
    with closing(CoalescingDoorbell(bell.send)) as doorbell:
        doorbell.ring(Room.FEEDS)
        assert eventually(lambda: bell.rung) == [Room.FEEDS]


def test_rings_during_a_send_that_hangs_return_at_once_and_become_one():
    bell = Bell()
    with closing(CoalescingDoorbell(bell.send)) as doorbell:
        with bell.held():
            doorbell.ring(Room.URGENT)
            assert bell.touched.wait(5)
            for _ in range(100):
                doorbell.ring(Room.URGENT)
                doorbell.ring(Room.BULK)
            assert bell.rung == []
        assert eventually(lambda: len(bell.rung) >= 3)
    assert bell.rung == [Room.URGENT, Room.URGENT, Room.BULK]


@given(st.lists(st.sampled_from(Room)))
def test_every_room_that_was_rung_is_told_and_no_other(rooms):
    bell = Bell()
    with closing(CoalescingDoorbell(bell.send)) as doorbell:
        for room in rooms:
            doorbell.ring(room)
    assert set(bell.rung) == set(rooms)
    assert len(bell.rung) <= len(rooms)


def test_a_lost_ring_is_survived_and_reported_once_a_minute_without_the_brokers_words(caplog):
    sent = []
    time = [0]

    def send(room: Room) -> None:
        sent.append(room)
        raise ConnectionError("redis://:secret@redis.example refused")

    with closing(CoalescingDoorbell(send, clock=lambda: time[0])) as doorbell, caplog.at_level(logging.WARNING):
        for now, lines in [(0, 1), (59, 1), (60, 2)]:
            time[0] = now
            sent.clear()
            doorbell.ring(Room.BULK)
            doorbell.ring(Room.BULK)
            eventually(lambda: sent)
            assert eventually(lambda lines=lines: len(caplog.records) == lines)
    assert set(caplog.messages) == {"A ring was lost (ConnectionError); the beat will ring again"}


def test_after_closing_nothing_rings():
    bell = Bell()
    doorbell = CoalescingDoorbell(bell.send)
    doorbell.close()
    doorbell.ring(Room.BULK)
    assert bell.rung == []
    assert "doorbell" not in [thread.name for thread in threading.enumerate()]


def test_closing_does_not_wait_for_a_send_that_hangs():
    bell = Bell()
    doorbell = CoalescingDoorbell(bell.send)
    with bell.held():
        doorbell.ring(Room.BULK)
        assert bell.touched.wait(5)
        doorbell.close(within=0.01)
        assert bell.rung == []
    eventually(lambda: "doorbell" not in [thread.name for thread in threading.enumerate()])


FORK = """
import os, threading
from newsletter.doorbell import CoalescingDoorbell, Room
rung = threading.Event()
doorbell = CoalescingDoorbell(lambda room: rung.set())
doorbell.ring(Room.URGENT)
assert rung.wait(5)
rung.clear()
if child := os.fork():
    _, status = os.waitpid(child, 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))
doorbell.ring(Room.URGENT)
os._exit(not rung.wait(5))
"""


def test_a_doorbell_rings_in_a_forked_process_too():
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 0


def test_a_frozen_redis_holds_nobody_up_and_a_thawed_one_hears_the_ring(redis_url):
    with (
        Redis.from_url(redis_url) as redis,
        broker.connect(redis_url) as app,
        closing(broker.doorbell(app)) as doorbell,
    ):
        doorbell.ring(Room.FEEDS)
        eventually(lambda: redis.llen("feeds") == 1)
        with frozen(redis_url):
            for _ in range(100):
                doorbell.ring(Room.URGENT)
        eventually(lambda: redis.llen("urgent") >= 1)


def test_an_absent_redis_costs_the_ring_and_nothing_else(caplog):
    with broker.connect("redis://127.0.0.1:1/0") as app, closing(broker.doorbell(app)) as doorbell:
        doorbell.ring(Room.URGENT)
        eventually(lambda: caplog.messages)
    assert caplog.messages == ["A ring was lost (OperationalError); the beat will ring again"]


def test_after_redis_was_killed_the_same_doorbell_rings_again(redis_url):
    with broker.connect(redis_url) as app, closing(broker.doorbell(app)) as doorbell:
        doorbell.ring(Room.URGENT)
        eventually(lambda: waiting(redis_url, Room.URGENT) == 1)
        with gone(redis_url):
            doorbell.ring(Room.URGENT)
        eventually(lambda: rung(doorbell, redis_url, Room.URGENT))


def test_after_redis_was_emptied_the_next_ring_is_heard(redis_url):
    with (
        Redis.from_url(redis_url) as redis,
        broker.connect(redis_url) as app,
        closing(broker.doorbell(app)) as doorbell,
    ):
        doorbell.ring(Room.URGENT)
        eventually(lambda: waiting(redis_url, Room.URGENT) == 1)
        redis.flushall()
        doorbell.ring(Room.URGENT)
        eventually(lambda: waiting(redis_url, Room.URGENT) == 1)


def rung(doorbell: CoalescingDoorbell, url: str, room: Room) -> bool:
    """Ring, as the beat does again and again, and look whether it was heard."""
    doorbell.ring(room)
    return waiting(url, room) > 0


def waiting(url: str, room: Room) -> int:
    """How many rings wait there."""
    with Redis.from_url(url) as redis:
        return int(redis.llen(room.value))


def test_while_nobody_answers_only_some_rings_wait_and_each_room_has_its_own(redis_url):
    with broker.connect(redis_url) as app:
        for _ in range(3 * broker.ENOUGH):
            broker.ring(app, Room.BULK)
        broker.ring(app, Room.URGENT)
    assert waiting(redis_url, Room.BULK) == broker.ENOUGH
    assert waiting(redis_url, Room.URGENT) == 1


def test_a_ring_is_answered_whatever_time_it_is_where_it_is_heard(redis_url):
    with broker.connect(redis_url) as app, Redis.from_url(redis_url) as redis:
        broker.ring(app, Room.BULK)
        (message,) = redis.lrange(Room.BULK.value, 0, -1)
    assert json.loads(message)["headers"]["expires"] is None


def test_within_a_process_rings_do_not_pile_up_either():
    with broker.connect(None) as app, app.producer_or_acquire() as producer:
        channel = producer.channel
        for _ in range(3 * broker.ENOUGH):
            broker.ring(app, Room.BULK)
        assert channel.queue_purge(Room.BULK.value) == broker.ENOUGH


def test_a_ring_costs_redis_one_question_more(redis_url):
    with Redis.from_url(redis_url) as redis, broker.connect(redis_url) as app:
        broker.ring(app, Room.BULK)
        before = calls(redis)
        broker.ring(app, Room.BULK)
        assert calls(redis) - before == {"llen": 1, "lpush": 1, "multi": 1, "exec": 1}


def calls(redis: Redis) -> Counter[str]:
    """What Redis was asked until now, by the command."""
    told = redis.info("commandstats")
    return Counter(
        {name.removeprefix("cmdstat_"): each["calls"] for name, each in told.items() if name != "cmdstat_info"}
    )
