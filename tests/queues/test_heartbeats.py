"""Heartbeats of queues: the database shows when a worker last answered."""

from datetime import timedelta

from newsletter.queues import heartbeats
from newsletter.queues.wakeups import Queue
from tests.clock import NOON


def test_before_the_first_heartbeat_there_is_none(reading):
    with reading() as session:
        assert heartbeats.last(session, Queue.UPKEEP) is None


def test_the_last_heartbeat_counts_and_each_queue_has_its_own(begin, reading):
    for number, queue in enumerate((Queue.UPKEEP, Queue.UPKEEP, Queue.BULK)):
        with begin() as session:
            heartbeats.record(session, queue, now=NOON + timedelta(seconds=number))
    with reading() as session:
        assert heartbeats.last(session, Queue.UPKEEP) == NOON + timedelta(seconds=1)
        assert heartbeats.last(session, Queue.BULK) == NOON + timedelta(seconds=2)
