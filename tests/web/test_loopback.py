"""Pages that only this machine may see."""

from fastapi.testclient import TestClient

from tests.whole_service import whole_service


def test_the_outbox_is_shown_only_to_requests_from_this_machine(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        assert service.browser.get("/outbox").status_code == 200
        assert service.browser.get("/outbox", headers={"Host": "letters.example.org"}).status_code == 404
        with TestClient(service.browser.app, base_url="http://localhost", client=("192.168.1.7", 1)) as neighbor:
            assert neighbor.get("/outbox").status_code == 404


def test_a_request_from_this_machine_in_the_ipv6_notation_of_ipv4_is_one(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        for peer, status in [("::ffff:127.0.0.1", 200), ("::1", 200), ("::ffff:192.168.1.7", 404)]:
            with TestClient(service.browser.app, base_url="http://localhost", client=(peer, 1)) as client:
                assert client.get("/outbox").status_code == status
