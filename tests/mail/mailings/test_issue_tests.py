"""An operator gets the letter that readers would get, to their own address, ten times an hour at most."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from newsletter import templating
from newsletter.content.issues import approvals
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.errors import Refused
from newsletter.mail.delivery.deliveries import Delivery
from newsletter.mail.mailings import issue_tests
from newsletter.newsletters import Newsletter
from newsletter.operators import operators
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from tests.builders import an_issue
from tests.letters import assert_well_formed, unified
from tests.whole_service import WholeService, whole_service

EVA = "eva@press.example"
LONG = "Ein sehr langer Titel über Brücken und Flüsse, der sicher mehr als eine Zeile im Kopf des Briefes braucht"


@pytest.fixture
def service(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        yield service


def prepare(service, **values) -> tuple[int, int]:
    """Add an operator and a draft; return their ids."""
    newsletter = service.newsletter()
    with service.site.database.writing() as session:
        eva = operators.add(session, EVA, role=Role.ADMIN, actor="tests", now=service.clock())
        return eva.id, an_issue(session, newsletter, status=IssueStatus.DRAFTED, **values).id


def owe(service, operator_id: int, issue_id: int, **values) -> int:
    with service.site.database.writing() as session:
        return issue_tests.owe_test(
            session,
            session.get_one(Issue, issue_id),
            operator_id=operator_id,
            templates=templating.environment,
            base_url=service.site.settings.base_url,
            now=service.clock(),
            **values,
        )


def parts(letter, service) -> list[str]:
    """Return the text and the HTML, each without the links that differ between readers."""
    texts = [unified(letter.get_body((part,)).get_content()) for part in ("plain", "html")]
    for path in ("u", "preferences"):
        texts = [text.replace(service.link(letter, path), "-") for text in texts]
    return texts


@pytest.mark.parametrize("title", ["A bridge opens", LONG])
def test_a_test_is_the_readers_letter_with_a_mark_and_links_of_nobody(service, title):
    eva, number = prepare(service, titles=(title,))
    service.reader("ana@example.org")
    owe(service, eva, number)
    service.run(Queue.URGENT)
    with service.site.database.writing() as session:
        approvals.approve(session, session.get_one(Issue, number), actor="tests", now=service.clock())
    service.run()
    (test,), real = service.letters(to=EVA), service.letters(to="ana@example.org")[-1]
    assert_well_formed(next(file for file in (service.outbox / "new").glob("*") if file.read_bytes()).read_bytes())
    assert test["Subject"] == f"[Test] {real['Subject']}"
    assert test.keys() == real.keys()
    assert parts(test, service) == parts(real, service)
    assert service.browser.post(service.link(test, "u"), data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert service.browser.get(service.link(test, "preferences")).status_code == 404
    assert urlsplit(test["List-Unsubscribe"].strip("<>")).path == service.link(test, "u")
    with service.site.database.reading() as session:
        assert examination.examine(session) == []


def test_a_test_may_be_in_the_language_of_a_reader(service):
    eva, number = prepare(service)
    owe(service, eva, number, tag="de")
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=EVA)
    assert "Guten Tag" in parts(letter, service)[0]


def test_an_operator_gets_ten_tests_an_hour_and_a_colleague_ten_others(service):
    eva, number = prepare(service)
    for _ in range(10):
        owe(service, eva, number)
    with pytest.raises(Refused, match=r"10 test letters.* at 13:00"):
        owe(service, eva, number)
    with service.site.database.writing() as session:
        ada = operators.add(session, "ada@press.example", role=Role.ADMIN, actor="tests", now=service.clock()).id
    owe(service, ada, number)
    service.clock.advance(hours=1)
    owe(service, eva, number)
    with service.site.database.reading() as session:
        assert len(session.scalars(select(Delivery.id)).all()) == 12


def test_a_newsletter_without_issues_can_be_tested_within_the_same_limit(service):
    eva, number = prepare(service)

    def owe_sample() -> None:
        with service.site.database.writing() as session:
            issue_tests.owe_sample(
                session,
                session.scalars(select(Newsletter)).one(),
                operator_id=eva,
                templates=templating.environment,
                base_url=service.site.settings.base_url,
                now=service.clock(),
            )

    owe_sample()
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=EVA)
    assert letter["Subject"] == "A probe of The Morning Letter"
    for _ in range(9):
        owe(service, eva, number)
    with pytest.raises(Refused, match="10 test letters"):
        owe_sample()


def test_an_issue_that_cannot_be_sent_cannot_be_tested_either(service):
    eva, number = prepare(service)
    with service.site.database.writing() as session:
        session.get_one(Issue, number).introduction = "x" * 100_000
    with pytest.raises(Refused, match="the limit is"):
        owe(service, eva, number)
