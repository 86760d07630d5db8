"""Letters that left, made once more: the bytes are those that the mail server received."""

from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from newsletter.content import issues
from newsletter.links import Links
from newsletter.mail.delivery import copies
from newsletter.mail.delivery.assembly import Assembler
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from newsletter.relays import Relay
from tests.builders import an_issue
from tests.smtp_server import ScriptedServer
from tests.whole_service import WholeService, whole_service


@pytest.fixture
def relay() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def town(request: pytest.FixtureRequest, relay: ScriptedServer, tmp_path: Path) -> Iterator[WholeService]:
    url = request.getfixturevalue(f"{request.param}_url")
    with whole_service(
        url, tmp_path, smtp_url=(Relay(host=relay.host, port=relay.port),), ehlo_name="news.example"
    ) as stage:
        stage.newsletter()
        yield stage


def copied(stage: WholeService) -> list[bytes]:
    """Made by another process, which has laid nothing out itself."""
    keyring = stage.site.keyring
    with stage.site.database.reading() as session:
        return copies.sent(session, Assembler(Links(keyring, stage.site.settings.base_url), keyring))


def received(relay: ScriptedServer) -> list[bytes]:
    """In no order that is promised: they come over two connections."""
    return [letter.body for letter in relay.letters]


def written_to(letters: list[bytes]) -> list[str]:
    return [message_from_bytes(letter)["To"].rpartition("<")[2].rstrip(">") for letter in letters]


def test_nothing_left_so_there_is_nothing_to_copy(town):
    assert copied(town) == []


def test_copies_are_what_the_server_received_byte_for_byte(town, relay):
    for email, name in (
        ("ana@example.org", "Ana"),
        ("bo@bücher.example", "..."),
        ("cy@example.org", "Łucja “x” = <b>"),
    ):
        town.sign_up(email, name=name)
    town.run(Queue.URGENT)
    assert len(relay.letters) == 3
    assert sorted(copied(town)) == sorted(received(relay))
    for letter in received(relay):
        confirm = next(word for word in letter.decode().replace("=\r\n", "").split() if "/confirm/" in word)
        path = confirm.removeprefix(town.site.settings.base_url)
        assert town.browser.post(path, data={"confirm": "yes"}).status_code == 200
    town.clock.pass_(hours=1)
    with town.site.database.writing() as session:
        an_issue(session, session.query(Newsletter).one(), status=issues.IssueStatus.APPROVED)
    town.run(Queue.BULK)
    assert len(relay.letters) == 6
    assert sorted(copied(town)) == sorted(received(relay))


def test_copies_come_in_the_order_in_which_the_letters_were_due(town, relay):
    relay.refused = {"cy@example.org": "450 4.2.1 greylisted"}
    for email in ("cy@example.org", "ana@example.org"):
        town.sign_up(email)
    town.run(Queue.URGENT)
    relay.refused = {}
    town.clock.pass_(minutes=2)
    town.run(Queue.URGENT)
    assert written_to(copied(town)) == ["ana@example.org", "cy@example.org"]


def test_what_the_server_did_not_take_is_no_copy(town, relay):
    relay.refused = {"gone@example.org": "550 5.1.1 user unknown", "later@example.org": "450 4.2.1 greylisted"}
    for email in ("gone@example.org", "later@example.org", "here@example.org"):
        town.sign_up(email)
    town.run(Queue.URGENT)
    assert len(relay.letters) == 1
    assert copied(town) == received(relay)
    relay.refused = {}
    town.clock.pass_(minutes=2)
    town.run(Queue.URGENT)
    assert len(relay.letters) == 2
    assert sorted(copied(town)) == sorted(received(relay))
