"""The address a request comes from, behind proxies that may be forged."""

from types import SimpleNamespace

import pytest
from sqlalchemy import select
from starlette.requests import Request

from newsletter.consent.ledger.ledger import TraceRow
from newsletter.consent.signups.signups import Signup
from newsletter.queues.wakeups import Queue
from newsletter.settings import Settings
from newsletter.web.site import _client
from tests.whole_service import WholeService, whole_service

ANA = "ana@example.org"


def seen_ip(service: WholeService, *forwarded: str) -> str | None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    form = {**service.form(), "email": ANA}
    assert service.browser.post("/subscribe", data=form, headers=headers).status_code == 202
    with service.site.database.reading() as session:
        signup = session.scalars(select(Signup).order_by(Signup.id.desc())).first()
        assert signup
        return signup.evidence.get("ip")


def test_x_forwarded_for_from_an_untrusted_peer_is_ignored(service):
    service.newsletter()
    assert seen_ip(service, "6.6.6.6") == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "seen"),
    [
        (["6.6.6.6"], "6.6.6.6"),
        (["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
        (["6.6.6.6", "9.9.9.9"], "9.9.9.9"),
        (["6.6.6.6, 10.0.0.7"], "6.6.6.6"),
        (["9.9.9.9:4711"], "9.9.9.9"),
        (["[2001:db8::1]:80"], "2001:db8::1"),
        (["2001:db8::1"], "2001:db8::1"),
        (["::ffff:9.9.9.9"], "9.9.9.9"),
        (["[::ffff:9.9.9.9]:4711"], "9.9.9.9"),
        (["::FFFF:0909:0909"], "9.9.9.9"),
        (["6.6.6.6, ::ffff:10.0.0.7"], "6.6.6.6"),
        (["::ffff:6.6.6.6, ::ffff:10.0.0.7"], "6.6.6.6"),
        (["nonsense"], None),
        ([], "127.0.0.1"),
    ],
)
def test_x_forwarded_for_counts_only_as_far_as_trusted_proxies_appended_it(sqlite_url, tmp_path, forwarded, seen):
    with whole_service(sqlite_url, tmp_path, trusted_proxies="127.0.0.1,10.0.0.0/8") as service:
        service.newsletter()
        assert seen_ip(service, *forwarded) == seen


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_proxy_is_trusted_in_both_notations_of_ipv4(trusted, peer):
    site = SimpleNamespace(settings=Settings(trusted_proxies=trusted))
    headers = [(b"x-forwarded-for", b"203.0.113.7")]
    assert _client(Request({"type": "http", "client": (peer, 1), "headers": headers}), site) == "203.0.113.7"
    assert _client(Request({"type": "http", "client": (peer, 1), "headers": []}), site) == "127.0.0.1"


@pytest.mark.parametrize("peer", ["::ffff:9.9.9.9", "9.9.9.9", "::1", "2001:db8::1", "::127.0.0.1"])
def test_another_peer_is_not_trusted(peer):
    site = SimpleNamespace(settings=Settings(trusted_proxies="::ffff:127.0.0.0/104"))
    headers = [(b"x-forwarded-for", b"203.0.113.7")]
    seen = _client(Request({"type": "http", "client": (peer, 1), "headers": headers}), site)
    assert seen == peer.removeprefix("::ffff:").replace("::127.0.0.1", "::7f00:1")


def test_the_origin_of_a_sign_up_is_stored_as_a_trace(service):
    service.newsletter()
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        assert session.scalars(select(TraceRow.ip)).all() == ["127.0.0.1"]
