"""A worker ends within ten seconds of a signal, whatever it is doing."""

import signal
import socket
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from threading import Event, Lock

import pytest
from celery import signals

from newsletter.content.fetching.fair_clock import waited_for_processor
from newsletter.mail.delivery.deliveries import DeliveryStatus
from newsletter.queues.wakeups import Queue
from tests.builders import owed
from tests.processes import WEB, Process
from tests.servers.server import free_port, listens
from tests.smtp_server import SILENCE, USUAL, ScriptedServer, late
from tests.waiting import TIMEOUT, eventually
from workers import lifetime
from workers.once import Once

WITHIN = 10  # seconds that an orchestrator waits before it kills


def ended(process: Process) -> int:
    """Return the exit status; fail if the process took longer, without the time it waited for a processor of ours."""
    scheduling = Path(f"/proc/{process.pid}/schedstat")
    waited = [waited_for_processor(scheduling)]
    began = time.monotonic()
    eventually(lambda: not process.runs or waited.append(waited_for_processor(scheduling)))
    took = time.monotonic() - began - (max(waited) - waited[0])
    assert took < WITHIN
    return process.wait()


def relay(server: ScriptedServer) -> dict[str, str]:
    return {"NEWSLETTER_SMTP_URL": f"smtp://{server.host}:{server.port}"}


def test_a_worker_with_nothing_to_do_ends_at_once(installation):
    worker = installation.worker()
    worker.terminate()
    assert ended(worker) == 0


def test_a_worker_that_is_sending_ends_after_the_current_letter_and_leaves_none_claimed(installation):
    with installation.database.writing() as session:
        owed(session, 50)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 0.5)}) as slow:
        worker = installation.worker(**relay(slow))
        installation.wake(Queue.BULK)
        eventually(lambda: len(slow.letters) >= 2)
        worker.terminate()
        assert ended(worker) == 0
    assert installation.statuses().count(DeliveryStatus.SENT) == len(slow.letters) < 50
    assert set(installation.statuses()) == {DeliveryStatus.SENT, DeliveryStatus.QUEUED}
    assert "abandoned" not in worker.output()


class InterruptedEvent(Event):
    """An event during whose lock a second signal comes, as may happen with two signals at once."""

    def __init__(self) -> None:
        super().__init__()
        self.own = Lock()

    def set(self) -> None:
        with self.own:
            signal.raise_signal(signal.SIGTERM)
        super().set()


def two_signals_at_once() -> None:
    """The body of a process: it exits with status 0 if `stop` is set."""
    stop = InterruptedEvent()
    lifetime.connect_signals(Once(StringIO), StringIO(), stop, heartbeat=5)
    signals.worker_init.send(None)
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: signals.worker_shutting_down.send(None))
    signal.raise_signal(signal.SIGINT)
    sys.exit(not stop.wait(TIMEOUT))


def signal_after_a_failed_start() -> None:
    """The same after an unexpected error while the context was built."""

    def build() -> StringIO:
        raise PermissionError

    stop = Event()
    lifetime.connect_signals(Once(build), StringIO(), stop, heartbeat=5)
    signals.worker_init.send(None)
    signals.worker_shutting_down.send(None)
    sys.exit(not stop.wait(TIMEOUT))


@pytest.mark.parametrize("body", [two_signals_at_once, signal_after_a_failed_start])
def test_a_signal_to_end_always_sets_stop(body):
    program = f"from {__name__} import {body.__name__}; {body.__name__}()"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=2 * TIMEOUT).returncode == 0


@pytest.mark.slow
def test_a_worker_ends_although_a_relay_hangs(installation):
    with installation.database.writing() as session:
        owed(session, 2)
    with ScriptedServer(always={"DOT": SILENCE}) as hanging:
        worker = installation.worker(**relay(hanging))
        installation.wake(Queue.BULK)
        eventually(lambda: "DATA" in hanging.commands)
        worker.terminate()
        assert ended(worker) == 0
    assert "abandoned" not in worker.output()
    assert DeliveryStatus.CLAIMED not in installation.statuses(), "a letter without a reply is in doubt"
    assert "Traceback" not in worker.output()


@pytest.mark.slow
def test_a_service_in_one_process_ends_although_a_relay_hangs(installation):
    with ScriptedServer(always={"DOT": SILENCE}) as hanging:
        port = str(free_port())
        serve = installation.start(
            "serve", "newsletter", "serve", "--port", port, NEWSLETTER_REDIS_URL="", **relay(hanging)
        )
        installation.sign_up()
        eventually(lambda: "DATA" in hanging.commands)
        serve.terminate()
        assert ended(serve) == 0
    assert "Traceback" not in serve.output()


def test_beat_ends_at_once(installation):
    beat = installation.beat()
    eventually(lambda: "beat started" in beat.output())
    beat.terminate()
    assert ended(beat) == 0
    assert "Traceback" not in beat.output()


@pytest.mark.slow
def test_the_site_ends_although_a_visitor_is_in_the_middle_of_a_form(installation):
    port = free_port()
    web = installation.start("web", *WEB, "--port", str(port))
    eventually(lambda: listens(port))
    with socket.create_connection(("127.0.0.1", port)) as visitor:
        visitor.sendall(b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\ne")
        web.terminate()
        ended(web)
