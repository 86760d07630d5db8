"""A worker that is told to end does so within ten seconds, whatever it is doing."""

import socket

import pytest

from newsletter.doorbell import Room
from newsletter.post.deliveries import Status
from tests.builders import owed
from tests.processes import WEB
from tests.servers.server import free_port, listens
from tests.smtp_server import SILENCE, USUAL, ScriptedServer, late
from tests.waiting import eventually

WITHIN = 10  # seconds that an orchestrator waits before it kills

pytestmark = pytest.mark.slow


def relay(server: ScriptedServer) -> dict[str, str]:
    return {"NEWSLETTER_SMTP_URL": f"smtp://{server.host}:{server.port}"}


def test_a_worker_with_nothing_to_do_ends_at_once(house):
    worker = house.worker()
    worker.terminate()
    assert worker.wait(WITHIN) == 0


def test_a_worker_that_carries_ends_after_the_letter_in_hand_and_leaves_none_claimed(house):
    with house.database.writing() as session:
        owed(session, 50)
    with ScriptedServer(always={"DOT": late(USUAL["DOT"], 0.5)}) as slow:
        worker = house.worker(**relay(slow))
        house.ring(Room.BULK)
        eventually(lambda: len(slow.letters) >= 2, within=20)
        worker.terminate()
        assert worker.wait(WITHIN) == 0
    assert house.statuses().count(Status.SENT) == len(slow.letters) < 50
    assert set(house.statuses()) == {Status.SENT, Status.QUEUED}
    assert "abandoned" not in worker.output()


def test_a_relay_that_hangs_keeps_no_worker_from_ending(house):
    with house.database.writing() as session:
        owed(session, 2)
    with ScriptedServer(always={"DOT": SILENCE}) as hanging:
        worker = house.worker(**relay(hanging))
        house.ring(Room.BULK)
        eventually(lambda: "DATA" in hanging.commands, within=20)
        worker.terminate()
        assert worker.wait(WITHIN) == 0
    assert "abandoned" not in worker.output()
    assert Status.CLAIMED not in house.statuses(), "what was sent and not answered to is in doubt"
    assert "Traceback" not in worker.output()


def test_a_relay_that_hangs_keeps_no_service_in_one_process_from_ending(house):
    with ScriptedServer(always={"DOT": SILENCE}) as hanging:
        port = str(free_port())
        serve = house.start("serve", "newsletter", "serve", "--port", port, NEWSLETTER_REDIS_URL="", **relay(hanging))
        house.sign_up()
        eventually(lambda: "DATA" in hanging.commands, within=40)
        serve.terminate()
        assert serve.wait(WITHIN) == 0
    assert "Traceback" not in serve.output()


def test_a_beat_ends_at_once(house):
    beat = house.beat()
    eventually(lambda: "beat started" in beat.output(), within=40)
    beat.terminate()
    assert beat.wait(WITHIN) == 0
    assert "Traceback" not in beat.output()


def test_a_visitor_in_the_middle_of_a_form_keeps_no_site_from_ending(house):
    port = free_port()
    web = house.start("web", *WEB, "--port", str(port))
    eventually(lambda: listens(port), within=40)
    with socket.create_connection(("127.0.0.1", port)) as visitor:
        visitor.sendall(b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\ne")
        web.terminate()
        web.wait(WITHIN)
