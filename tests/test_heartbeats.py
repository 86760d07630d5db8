"""Ticks: a sign of life that everybody can read."""

from datetime import timedelta

from newsletter import heartbeats
from newsletter.doorbell import Room
from tests.clock import NOON


def test_before_the_first_tick_there_is_none(reading):
    with reading() as session:
        assert heartbeats.last(session, Room.UPKEEP) is None


def test_the_last_tick_counts_and_each_room_has_its_own(begin, reading):
    for number, room in enumerate((Room.UPKEEP, Room.UPKEEP, Room.BULK)):
        with begin() as session:
            heartbeats.tick(session, room, now=NOON + timedelta(seconds=number))
    with reading() as session:
        assert heartbeats.last(session, Room.UPKEEP) == NOON + timedelta(seconds=1)
        assert heartbeats.last(session, Room.BULK) == NOON + timedelta(seconds=2)
