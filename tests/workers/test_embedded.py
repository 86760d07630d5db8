"""Worker and beat in one process: a real Celery worker on the memory transport."""

import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from newsletter import broker
from newsletter.doorbell import Room
from tests.waiting import eventually
from workers import beat
from workers.app import answer, make_app
from workers.embedded import embedded


@pytest.fixture
def app():
    """An app whose beat is silent."""
    app = make_app(None)
    app.conf.beat_schedule = {}
    return app


@pytest.mark.parametrize("room", Room)
def test_a_ring_reaches_its_room_and_no_other(app, room):
    rung = []
    for each in Room:
        answer(app, each, lambda each=each: rung.append(each))
    with embedded(app), closing(broker.doorbell(app)) as doorbell:
        doorbell.ring(room)
        eventually(lambda: rung)
    assert rung == [room]


def test_the_beat_rings_everywhere_at_once_and_then_again():
    app = make_app(None)
    rung = []
    for room in Room:
        answer(app, room, lambda room=room: rung.append(room))
    app.conf.beat_schedule[Room.UPKEEP.value]["schedule"] = 0.1
    with embedded(app):
        eventually(lambda: set(rung) == set(Room), within=1)
        eventually(lambda: rung.count(Room.UPKEEP) >= 3)
    assert rung.count(Room.FEEDS) == 1


def test_no_room_is_without_a_beat():
    assert {entry["task"] for entry in beat.schedule().values()} == {broker.task_name(room) for room in Room}


def test_a_second_worker_in_the_same_process_does_only_its_own_work(app):
    first, second = [], []
    answer(app, Room.BULK, lambda: first.append("ring"))
    other = make_app(None)
    other.conf.beat_schedule = {}
    answer(other, Room.BULK, lambda: second.append("ring"))
    for each, rung in ((app, first), (other, second)):
        with embedded(each), closing(broker.doorbell(each)) as doorbell:
            doorbell.ring(Room.BULK)
            eventually(lambda rung=rung: rung)
    assert (first, second) == (["ring"], ["ring"])


def test_a_room_that_fails_goes_on_answering(app, caplog):
    rung = []

    def fail() -> None:
        rung.append("ring")
        raise LookupError("nothing there")

    answer(app, Room.BULK, fail)
    with embedded(app), closing(broker.doorbell(app)) as doorbell:
        for times in (1, 2):
            doorbell.ring(Room.BULK)
            eventually(lambda times=times: len(rung) == times)
    assert "LookupError" in caplog.text


def test_a_room_that_is_busy_keeps_no_other_waiting(app):
    done, urgent = threading.Event(), threading.Event()
    for room in set(Room) - {Room.URGENT}:
        answer(app, room, lambda: done.wait(5))
    answer(app, Room.URGENT, urgent.set)
    with embedded(app), closing(broker.doorbell(app)) as doorbell:
        for room in sorted(Room, reverse=True):
            doorbell.ring(room)
        assert urgent.wait(5)
        done.set()


def test_leaving_waits_for_the_ring_that_has_begun_and_forgets_those_that_have_not(app):
    begun, free = threading.Event(), threading.Event()
    rung = []

    def work() -> None:
        begun.set()
        assert free.wait(5)
        rung.append("ring")

    answer(app, Room.BULK, work)
    with closing(broker.doorbell(app)) as doorbell:
        with embedded(app):
            doorbell.ring(Room.BULK)
            assert begun.wait(5)
            threading.Timer(0.05, free.set).start()
        assert rung == ["ring"]


def test_what_a_ring_does_is_told_to_end_when_the_service_does(app):
    begun, stop = threading.Event(), threading.Event()
    ended = []

    def work() -> None:
        begun.set()
        ended.append(stop.wait(5))

    answer(app, Room.BULK, work)
    with closing(broker.doorbell(app)) as doorbell, embedded(app, stop=stop):
        doorbell.ring(Room.BULK)
        assert begun.wait(5)
    assert ended == [True]


def test_nothing_stays_behind(app, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    threads = set(threading.enumerate())
    with embedded(app):
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert set(threading.enumerate()) == threads
    assert list(Path().iterdir()) == []
    assert capfd.readouterr() == ("", "")
