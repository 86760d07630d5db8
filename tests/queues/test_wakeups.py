"""A wake-up never blocks its caller, whatever the broker does."""

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

from newsletter.queues import broker
from newsletter.queues.wakeups import BackgroundWakeups, Queue
from tests.servers.redis import frozen, gone
from tests.waiting import TIMEOUT, eventually


class Broker:
    """A broker that records wake-ups, and can be held so that it does not answer."""

    def __init__(self) -> None:
        self.sent: list[Queue] = []
        self.touched = threading.Event()
        self._free = threading.Event()
        self._free.set()

    def send(self, queue: Queue) -> None:
        self.touched.set()
        assert self._free.wait(TIMEOUT)
        self.sent.append(queue)

    @contextmanager
    def held(self) -> Iterator[None]:
        self._free.clear()
        yield
        self._free.set()


def test_a_wake_up_is_sent():
    slow_broker = Broker()
    with closing(BackgroundWakeups(slow_broker.send)) as wakeups:
        wakeups.wake(Queue.FEEDS)
        assert eventually(lambda: slow_broker.sent) == [Queue.FEEDS]


def test_wake_ups_within_the_interval_share_one_send():
    slow_broker = Broker()
    with closing(BackgroundWakeups(slow_broker.send, interval=3600)) as wakeups:
        wakeups.wake(Queue.URGENT)
        assert eventually(lambda: slow_broker.sent) == [Queue.URGENT]  # the first one does not wait
        for _ in range(100):
            wakeups.wake(Queue.URGENT)
        assert slow_broker.sent == [Queue.URGENT]
    assert slow_broker.sent == [Queue.URGENT] * 2  # closing sends what waits


def test_wake_ups_during_a_send_that_hangs_return_at_once_and_become_one():
    slow_broker = Broker()
    with closing(BackgroundWakeups(slow_broker.send)) as wakeups:
        with slow_broker.held():
            wakeups.wake(Queue.URGENT)
            assert slow_broker.touched.wait(TIMEOUT)
            for _ in range(100):
                wakeups.wake(Queue.URGENT)
                wakeups.wake(Queue.BULK)
            assert slow_broker.sent == []
        assert eventually(lambda: len(slow_broker.sent) >= 3)
    assert slow_broker.sent == [Queue.URGENT, Queue.URGENT, Queue.BULK]


@given(st.lists(st.sampled_from(Queue)))
def test_every_queue_that_was_woken_gets_a_wake_up_and_no_other(queues):
    slow_broker = Broker()
    with closing(BackgroundWakeups(slow_broker.send)) as wakeups:
        for queue in queues:
            wakeups.wake(queue)
    assert set(slow_broker.sent) == set(queues)
    assert len(slow_broker.sent) <= len(queues)


def test_a_lost_wake_up_is_logged_once_a_minute_without_the_text_of_the_error(caplog):
    sent = []
    time = [0]

    def send(queue: Queue) -> None:
        sent.append(queue)
        raise ConnectionError("redis://:secret@redis.example refused")

    with closing(BackgroundWakeups(send, clock=lambda: time[0])) as wakeups, caplog.at_level(logging.WARNING):
        for now, lines in [(0, 1), (59, 1), (60, 2)]:
            time[0] = now
            sent.clear()
            wakeups.wake(Queue.BULK)
            wakeups.wake(Queue.BULK)
            eventually(lambda: sent)
            assert eventually(lambda lines=lines: len(caplog.records) == lines)
    assert set(caplog.messages) == {"A wake-up was lost (ConnectionError); the schedule will send another"}


def test_after_closing_nothing_is_sent():
    slow_broker = Broker()
    wakeups = BackgroundWakeups(slow_broker.send)
    wakeups.close()
    wakeups.wake(Queue.BULK)
    assert slow_broker.sent == []
    assert "wake-ups" not in [thread.name for thread in threading.enumerate()]


def test_closing_does_not_wait_for_a_send_that_hangs():
    slow_broker = Broker()
    wakeups = BackgroundWakeups(slow_broker.send)
    with slow_broker.held():
        wakeups.wake(Queue.BULK)
        assert slow_broker.touched.wait(TIMEOUT)
        wakeups.close(within=0.01)
        assert slow_broker.sent == []
    eventually(lambda: "wake-ups" not in [thread.name for thread in threading.enumerate()])


FORK = """
import os, threading
from newsletter.queues.wakeups import BackgroundWakeups, Queue
sent = threading.Event()
wakeups = BackgroundWakeups(lambda queue: sent.set())
wakeups.wake(Queue.URGENT)
assert sent.wait(60)
sent.clear()
if child := os.fork():
    _, status = os.waitpid(child, 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))
wakeups.wake(Queue.URGENT)
os._exit(not sent.wait(60))
"""


def test_a_wake_up_is_sent_in_a_forked_process_too():
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 0


def test_a_frozen_redis_blocks_no_caller_and_gets_the_wake_up_later(redis_url):
    with (
        Redis.from_url(redis_url) as redis,
        broker.connect(redis_url) as app,
        closing(broker.wakeups(app)) as wakeups,
    ):
        wakeups.wake(Queue.FEEDS)
        eventually(lambda: redis.llen("feeds") == 1)
        with frozen(redis_url):
            for _ in range(100):
                wakeups.wake(Queue.URGENT)
        eventually(lambda: redis.llen("urgent") >= 1)


def test_an_absent_redis_loses_the_wake_up_and_nothing_else(caplog):
    with broker.connect("redis://127.0.0.1:1/0") as app, closing(broker.wakeups(app)) as wakeups:
        wakeups.wake(Queue.URGENT)
        eventually(lambda: caplog.messages)
    assert caplog.messages == ["A wake-up was lost (OperationalError); the schedule will send another"]


def test_after_redis_was_killed_the_same_wake_up_is_sent_again(redis_url):
    with broker.connect(redis_url) as app, closing(broker.wakeups(app)) as wakeups:
        wakeups.wake(Queue.URGENT)
        eventually(lambda: waiting(redis_url, Queue.URGENT) == 1)
        with gone(redis_url):
            wakeups.wake(Queue.URGENT)
        eventually(lambda: woken(wakeups, redis_url, Queue.URGENT))


def test_after_redis_was_emptied_the_next_wake_up_gets_through(redis_url):
    with (
        Redis.from_url(redis_url) as redis,
        broker.connect(redis_url) as app,
        closing(broker.wakeups(app)) as wakeups,
    ):
        wakeups.wake(Queue.URGENT)
        eventually(lambda: waiting(redis_url, Queue.URGENT) == 1)
        redis.flushall()
        wakeups.wake(Queue.URGENT)
        eventually(lambda: waiting(redis_url, Queue.URGENT) == 1)


def woken(wakeups: BackgroundWakeups, url: str, queue: Queue) -> bool:
    """Wake a queue, as beat does repeatedly; return whether the wake-up arrived."""
    wakeups.wake(queue)
    return waiting(url, queue) > 0


def waiting(url: str, queue: Queue) -> int:
    """Return how many wake-ups wait in a queue."""
    with Redis.from_url(url) as redis:
        return int(redis.llen(queue.value))


def test_without_workers_a_limited_number_of_wake_ups_waits_in_each_queue(redis_url):
    with broker.connect(redis_url) as app:
        for _ in range(3 * broker.WAITING_LIMIT):
            broker.wake(app, Queue.BULK)
        broker.wake(app, Queue.URGENT)
    assert waiting(redis_url, Queue.BULK) == broker.WAITING_LIMIT
    assert waiting(redis_url, Queue.URGENT) == 1


def test_a_wake_up_does_not_expire_whatever_the_workers_clock_says(redis_url):
    with broker.connect(redis_url) as app, Redis.from_url(redis_url) as redis:
        broker.wake(app, Queue.BULK)
        (message,) = redis.lrange(Queue.BULK.value, 0, -1)
    assert json.loads(message)["headers"]["expires"] is None


def test_within_a_process_wake_ups_do_not_pile_up_either():
    with broker.connect(None) as app, app.producer_or_acquire() as producer:
        channel = producer.channel
        for _ in range(3 * broker.WAITING_LIMIT):
            broker.wake(app, Queue.BULK)
        assert channel.queue_purge(Queue.BULK.value) == broker.WAITING_LIMIT


def test_a_wake_up_costs_redis_one_extra_command(redis_url):
    with Redis.from_url(redis_url) as redis, broker.connect(redis_url) as app:
        broker.wake(app, Queue.BULK)
        before = calls(redis)
        broker.wake(app, Queue.BULK)
        assert calls(redis) - before == {"llen": 1, "lpush": 1, "multi": 1, "exec": 1}


def calls(redis: Redis) -> Counter[str]:
    """Return how often Redis has executed each command."""
    statistics = redis.info("commandstats")
    return Counter(
        {name.removeprefix("cmdstat_"): each["calls"] for name, each in statistics.items() if name != "cmdstat_info"}
    )
