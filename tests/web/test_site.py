"""The address a request comes from, behind proxies that may be forged."""

import pytest
from sqlalchemy import select

from newsletter.consent.ledger import TraceRow
from newsletter.consent.signups import Signup
from newsletter.queues.wakeups import Queue
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
        (["nonsense"], None),
        ([], "127.0.0.1"),
    ],
)
def test_x_forwarded_for_counts_only_as_far_as_trusted_proxies_appended_it(sqlite_url, tmp_path, forwarded, seen):
    with whole_service(sqlite_url, tmp_path, trusted_proxies="127.0.0.1,10.0.0.0/8") as service:
        service.newsletter()
        assert seen_ip(service, *forwarded) == seen


def test_the_origin_of_a_sign_up_is_stored_as_a_trace(service):
    service.newsletter()
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    with service.site.database.reading() as session:
        assert session.scalars(select(TraceRow.ip)).all() == ["127.0.0.1"]
