"""The whole service against a relay that refuses, defers and hangs up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter import newsletters
from newsletter.content.digests import digests
from newsletter.content.issues import transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, status_counts
from newsletter.mail.letters.letters import Letter, LetterKind
from newsletter.mail.pace import notices
from newsletter.queues.wakeups import Queue
from tests.builders import a_reader
from tests.content.builders import a_feed, publish
from tests.smtp_server import CLOSE, ScriptedServer
from tests.waiting import eventually
from tests.whole_service import WholeService, through, whole_service

READERS = [f"reader{number}@example.org" for number in range(4)]
GONE, LATER = "reader1@example.org", "reader2@example.org"


@pytest.fixture
def relay() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(request: pytest.FixtureRequest, relay: ScriptedServer, tmp_path: Path) -> Iterator[WholeService]:
    """A newsletter with four readers, and an issue that is due."""
    url = request.getfixturevalue(f"{request.param}_url")
    with whole_service(url, tmp_path, **through(relay)) as service:
        service.newsletter()
        for reader in READERS:
            service.sign_up(reader)
        service.run(Queue.URGENT)
        for letter in relay.letters:
            token = next(word for word in letter.body.decode().replace("=\r\n", "").split() if "/confirm/" in word)
            service.browser.post(token.removeprefix(service.site.settings.base_url), data={"confirm": "yes"})
        relay.letters.clear()
        with service.site.database.writing() as session:
            newsletter = newsletters.named(session, "morning")
            publish(session, a_feed(session, newsletter), "bridge", "bus", now=service.clock())
            digests.add(
                session, newsletter, name="daily", cron="0 12 * * *", automatic=True, actor="tests", now=service.clock()
            )
        service.clock.advance(days=1)
        service.run(Queue.UPKEEP)
        yield service


def states(service: WholeService) -> dict[DeliveryStatus, int]:
    with service.site.database.reading() as session:
        assert examination.examine(session) == []
        issue = session.query(Letter).filter(Letter.kind == LetterKind.ISSUE).one()
        return {status: number for status, number in status_counts(session, issue.id).items() if number}


def run_until(service: WholeService, expected: dict[DeliveryStatus, int]) -> None:
    """Run the queue until the expected state; after trouble a relay is tried again within two seconds."""

    def reached() -> bool:
        service.run(Queue.BULK)
        return states(service) == expected

    eventually(reached, every=0.2)


def test_an_unknown_recipient_fails_a_deferred_one_waits_and_the_others_get_their_letters(service, relay):
    relay.refused = {GONE: "550 5.1.1 user unknown", LATER: "450 4.2.1 greylisted"}
    service.run(Queue.BULK)
    assert states(service) == {DeliveryStatus.SENT: 2, DeliveryStatus.FAILED: 1, DeliveryStatus.QUEUED: 1}
    relay.refused = {}
    service.run(Queue.BULK)
    assert len(relay.letters) == 2, "the deferred letter is not due yet"
    service.clock.advance(minutes=34)
    run_until(service, {DeliveryStatus.SENT: 3, DeliveryStatus.FAILED: 1})
    assert [letter.recipients for letter in relay.letters].count((LATER,)) == 1
    assert not [letter for letter in relay.letters if letter.recipients == (GONE,)]


def test_a_letter_in_doubt_is_repeated_once_with_the_same_bytes(service, relay):
    relay.always = {"DOT": CLOSE}
    service.run(Queue.BULK)
    assert states(service)[DeliveryStatus.IN_DOUBT] >= 1
    relay.always = {}
    service.clock.advance(hours=1)
    run_until(service, {DeliveryStatus.SENT: 4})
    identities = [letter.body.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for letter in relay.letters]
    assert len(set(identities)) == 4


def test_no_letter_fails_because_the_relay_is_down(service, relay):
    relay.always = {"GREETING": "421 4.3.2 closing for the night"}
    service.run(Queue.BULK)
    assert states(service) == {DeliveryStatus.QUEUED: 4}
    relay.always = {}
    run_until(service, {DeliveryStatus.SENT: 4})


def test_a_confirmation_does_not_wait_behind_an_issue(service, relay):
    service.sign_up("new@example.org")
    service.run(Queue.URGENT)
    assert [letter.recipients for letter in relay.letters] == [("new@example.org",)]
    with service.site.database.reading() as session:
        assert session.query(Delivery).filter(Delivery.status == DeliveryStatus.QUEUED).count() == 0, (
            "no delivery of the issue is queued yet"
        )


def the_issue(service: WholeService) -> tuple[IssueStatus, str | None]:
    with service.site.database.reading() as session:
        issue = session.query(Issue).one()
        return issue.status, transitions.pause_reason(session, issue)


def test_a_relay_that_refuses_the_service_pauses_the_issue_until_an_operator_resumes_it(service, relay):
    relay.always = {"GREETING": "554 5.7.1 you are on a list"}
    eventually(lambda: service.run(Queue.BULK) or the_issue(service)[0] is IssueStatus.PAUSED, every=0.2)
    status, reason = the_issue(service)
    assert status is IssueStatus.PAUSED
    assert reason.startswith(f"The relay {relay.host}:{relay.port} cannot be used: ")
    assert "you are on a list" in reason
    assert states(service) == {DeliveryStatus.QUEUED: 4}
    with service.site.database.reading() as session:
        assert [notice.severity for notice in notices.current(session, now=service.clock())] == ["lasting"]
    relay.always = {}
    with service.site.database.writing() as session:
        issue_pauses.resume(session, session.query(Issue).one(), actor="tests", now=service.clock())
    run_until(service, {DeliveryStatus.SENT: 4})
    with service.site.database.reading() as session:
        assert notices.current(session, now=service.clock()) == []


def test_a_relay_that_complains_about_the_rate_gets_fewer_letters_and_the_command_shows_it(service, relay):
    relay.refused = dict.fromkeys(READERS, "450 4.7.1 too much mail from you")
    with service.site.database.writing() as session:
        for number in range(8):
            a_reader(session, newsletters.named(session, "morning"), f"more{number}@example.org")
    relay.refused |= {f"more{number}@example.org": "450 4.7.1 too much mail from you" for number in range(8)}

    def current_notices() -> list[notices.Notice]:
        service.run(Queue.BULK)
        with service.site.database.reading() as session:
            return list(notices.current(session, now=service.clock()))

    (notice,) = eventually(current_notices)
    assert (notice.place, notice.severity) == (f"the relay {relay.host}:{relay.port}", "slowed")
    assert "450 4.7.1 too much mail from you" in notice.says
    assert the_issue(service) == (IssueStatus.SENDING, None)
