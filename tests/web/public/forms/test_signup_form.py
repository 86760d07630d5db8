"""The name and the address that a visitor enters."""

from contextlib import ExitStack

import pytest

from newsletter.queues.wakeups import Queue
from tests.smtp_server import ScriptedServer
from tests.whole_service import whole_service

ANA = "ana@example.org"


@pytest.mark.parametrize("name", ["علی‌رضا", "Jean\u00a0Paul", "क्‍ष", "O'Neill", "José María", "小雪"])
def test_names_in_any_script_are_accepted(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 202


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2028b", "a\tb", "a\x7fb"])
def test_names_with_control_characters_are_refused(service, name):
    service.newsletter()
    assert service.sign_up(ANA, name=name).status_code == 422


JOERG, ZOE = "jörg@example.org", "zoë.müller@example.org"
ABROAD = "ana@bücher.example"  # A-labels take it to every relay


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ([[]], 422),
        ([["8BITMIME"], ["PIPELINING"]], 422),
        ([["SMTPUTF8", "8BITMIME"]], 202),
        ([[], ["SMTPUTF8", "8BITMIME"]], 202),
    ],
)
@pytest.mark.parametrize("url", ["sqlite_url", pytest.param("postgresql_url", marks=pytest.mark.postgresql)])
def test_an_address_that_no_relay_can_take_is_refused_in_words(request, url, tmp_path, offers, answer):
    with ExitStack() as stack:
        relays = [stack.enter_context(ScriptedServer(offers=["SIZE", *each])) for each in offers]
        urls = ",".join(f"smtp://{relay.host}:{relay.port}" for relay in relays)
        service = stack.enter_context(whole_service(request.getfixturevalue(url), tmp_path, smtp_url=urls))
        service.newsletter()
        assert service.sign_up(JOERG).status_code == 202, "nothing is known of the relays yet"
        assert service.sign_up(ANA).status_code == 202
        service.run(Queue.URGENT)
        service.run(Queue.BULK)
        service.let_the_site_read_newsletters_again()
        for address in (JOERG, ZOE):
            assert service.sign_up(address).status_code == answer
        for address in (ANA, ABROAD):
            assert service.sign_up(address).status_code == 202
        if answer == 422:
            assert "We cannot send to an address with “ö” before the @-sign." in service.sign_up(JOERG).text
            assert "“ëü”" in service.sign_up(ZOE).text
