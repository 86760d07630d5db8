"""Copies of sent letters have the same bytes that the mail server received."""

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from newsletter.cli.demo import copies
from newsletter.content.issues import issues
from newsletter.links import Links
from newsletter.mail.delivery.assembly import Assembler
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.builders import an_issue
from tests.smtp_server import ScriptedServer
from tests.whole_service import WholeService, through, whole_service


@pytest.fixture
def relay() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(request: pytest.FixtureRequest, relay: ScriptedServer, tmp_path: Path) -> Iterator[WholeService]:
    url = request.getfixturevalue(f"{request.param}_url")
    with whole_service(url, tmp_path, **through(relay)) as running:
        running.newsletter()
        yield running


def copied(service: WholeService) -> list[bytes]:
    """Copy all letters with an assembler that has laid out none of them."""
    keyring = service.site.keyring
    with service.site.database.reading() as session:
        return copies.sent(session, Assembler(Links(keyring, service.site.settings.base_url), keyring))


def received(relay: ScriptedServer) -> list[bytes]:
    """Return what the relay received, in any order: letters come over two connections."""
    return [letter.body for letter in relay.letters]


def written_to(letters: list[bytes]) -> list[str]:
    return [message_from_bytes(letter)["To"].rpartition("<")[2].rstrip(">") for letter in letters]


def test_without_sent_letters_there_are_no_copies(service):
    assert copied(service) == []


def test_copies_are_what_the_server_received_byte_for_byte(service, relay):
    for email, name in (
        ("ana@example.org", "Ana"),
        ("bo@bücher.example", "..."),
        ("cy@example.org", "Łucja “x” = <b>"),
    ):
        service.sign_up(email, name=name)
    service.run(Queue.URGENT)
    assert len(relay.letters) == 3
    assert sorted(copied(service)) == sorted(received(relay))
    for letter in received(relay):
        confirm = next(word for word in letter.decode().replace("=\r\n", "").split() if "/confirm/" in word)
        path = confirm.removeprefix(service.site.settings.base_url)
        assert service.browser.post(path, data={"confirm": "yes"}).status_code == 200
    service.clock.advance(hours=1)
    with service.site.database.writing() as session:
        an_issue(session, session.query(Newsletter).one(), status=issues.IssueStatus.APPROVED)
    service.run(Queue.BULK)
    assert len(relay.letters) == 6
    assert sorted(copied(service)) == sorted(received(relay))


def test_copies_are_in_the_order_in_which_the_letters_were_due(service, relay):
    relay.refused = {"cy@example.org": "450 4.2.1 greylisted"}
    for email in ("cy@example.org", "ana@example.org"):
        service.sign_up(email)
    service.run(Queue.URGENT)
    relay.refused = {}
    service.clock.advance(minutes=2)
    service.run(Queue.URGENT)
    assert written_to(copied(service)) == ["ana@example.org", "cy@example.org"]


def test_a_letter_that_the_server_did_not_take_is_not_copied(service, relay):
    relay.refused = {"gone@example.org": "550 5.1.1 user unknown", "later@example.org": "450 4.2.1 greylisted"}
    for email in ("gone@example.org", "later@example.org", "here@example.org"):
        service.sign_up(email)
    service.run(Queue.URGENT)
    assert len(relay.letters) == 1
    assert copied(service) == received(relay)
    relay.refused = {}
    service.clock.advance(minutes=2)
    service.run(Queue.URGENT)
    assert len(relay.letters) == 2
    assert sorted(copied(service)) == sorted(received(relay))
