"""Worker and beat in one process: a real Celery worker on the memory transport."""

import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.queues import broker
from newsletter.queues.wakeups import Queue
from tests.waiting import TIMEOUT, eventually
from workers import schedule
from workers.app import make_app
from workers.embedded import embedded
from workers.tasks import handle


@pytest.fixture
def app():
    """An app with an empty schedule."""
    app = make_app(None)
    app.conf.beat_schedule = {}
    return app


@pytest.mark.parametrize("queue", Queue)
def test_a_wake_up_reaches_its_queue_and_no_other(app, queue):
    calls = []
    for each in Queue:
        handle(app, each, lambda each=each: calls.append(each))
    with embedded(app), closing(broker.wakeups(app)) as wakeups:
        wakeups.wake(queue)
        eventually(lambda: calls)
    assert calls == [queue]


def test_the_schedule_wakes_every_queue_at_once_and_then_again():
    app = make_app(None)
    calls = []
    for queue in Queue:
        handle(app, queue, lambda queue=queue: calls.append(queue))
    for entry in app.conf.beat_schedule.values():
        entry["schedule"] = 3600
    app.conf.beat_schedule[Queue.UPKEEP.value]["schedule"] = 0.1
    with embedded(app):
        eventually(lambda: set(calls) == set(Queue))
        eventually(lambda: calls.count(Queue.UPKEEP) >= 3)
    assert calls.count(Queue.FEEDS) == 1


def test_no_queue_is_without_a_schedule():
    assert {entry["task"] for entry in schedule.entries().values()} == {broker.task_name(queue) for queue in Queue}


def test_a_second_worker_in_the_same_process_does_only_its_own_work(app):
    first, second = [], []
    handle(app, Queue.BULK, lambda: first.append("call"))
    other = make_app(None)
    other.conf.beat_schedule = {}
    handle(other, Queue.BULK, lambda: second.append("call"))
    for each, calls in ((app, first), (other, second)):
        with embedded(each), closing(broker.wakeups(each)) as wakeups:
            wakeups.wake(Queue.BULK)
            eventually(lambda calls=calls: calls)
    assert (first, second) == (["call"], ["call"])


def test_a_queue_runs_again_after_a_failure(app, caplog):
    calls = []

    def fail() -> None:
        calls.append("call")
        raise LookupError("nothing there")

    handle(app, Queue.BULK, fail)
    with embedded(app), closing(broker.wakeups(app)) as wakeups:
        for times in (1, 2):
            wakeups.wake(Queue.BULK)
            eventually(lambda times=times: len(calls) == times)
    assert "LookupError" in caplog.text


def test_a_busy_queue_delays_no_other(app):
    done, urgent = threading.Event(), threading.Event()
    for queue in set(Queue) - {Queue.URGENT}:
        handle(app, queue, lambda: done.wait(TIMEOUT))
    handle(app, Queue.URGENT, urgent.set)
    with embedded(app), closing(broker.wakeups(app)) as wakeups:
        for queue in sorted(Queue, reverse=True):
            wakeups.wake(queue)
        assert urgent.wait(TIMEOUT)
        done.set()


def test_leaving_waits_for_the_running_task_and_drops_waiting_ones(app):
    begun, free = threading.Event(), threading.Event()
    calls = []

    def work() -> None:
        begun.set()
        assert free.wait(TIMEOUT)
        calls.append("call")

    handle(app, Queue.BULK, work)
    with closing(broker.wakeups(app)) as wakeups:
        with embedded(app):
            wakeups.wake(Queue.BULK)
            assert begun.wait(TIMEOUT)
            threading.Timer(0.05, free.set).start()
        assert calls == ["call"]


def test_a_running_job_is_asked_to_end_when_the_service_ends(app):
    begun, stop = threading.Event(), threading.Event()
    ended = []

    def work() -> None:
        begun.set()
        ended.append(stop.wait(TIMEOUT))

    handle(app, Queue.BULK, work)
    with closing(broker.wakeups(app)) as wakeups, embedded(app, stop=stop):
        wakeups.wake(Queue.BULK)
        assert begun.wait(TIMEOUT)
    assert ended == [True]


def test_no_thread_handler_or_file_stays_behind(app, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    threads = set(threading.enumerate())
    with embedded(app):
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert set(threading.enumerate()) == threads
    assert list(Path().iterdir()) == []
    assert capfd.readouterr() == ("", "")
