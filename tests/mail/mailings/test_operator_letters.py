"""The service writes to operators: it hands over their links, and keeps neither tokens nor addresses."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import templating
from newsletter.doctor import examination
from newsletter.links import Purpose
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus, status_counts
from newsletter.mail.letters import totals
from newsletter.mail.letters.letters import Letter, LetterKind, Variant
from newsletter.mail.mailings import operator_letters
from newsletter.operators import operators
from newsletter.operators.operator_links import LIFETIME, LinkPurpose, OperatorLink
from newsletter.operators.roles import Role
from newsletter.privacy import folding
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService, whole_service

EVA = "eva@press.example"
DESK = "https://desk.press.example"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def service(request, tmp_path) -> Iterator[WholeService]:
    """A service that has a sender of its own, and no newsletter yet."""
    url = request.getfixturevalue(f"{request.param}_url")
    with whole_service(url, tmp_path, service_sender="desk@press.example", desk_url=DESK) as service:
        yield service


def owe_link(service: WholeService, purpose: LinkPurpose = LinkPurpose.INVITATION, **changes) -> int | None:
    """Owe Eva a letter with a link; return the link's id, None if none is owed."""
    now = service.clock()
    with service.site.database.writing() as session:
        eva = operators.add(session, EVA, role=Role.ADMIN, actor="tests", now=now)
        link = OperatorLink(operator_id=eva.id, purpose=purpose, created_at=now, expires_at=now + LIFETIME)
        session.add(link)
        session.flush()
        settings = service.site.settings.model_copy(update=changes)
        owed = operator_letters.owe_link(
            session, link, eva, templates=templating.environment, settings=settings, now=now
        )
        return link.id if owed else None


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_an_operator_gets_the_link_from_the_service_itself(service, purpose):
    link = owe_link(service, purpose)
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=EVA)
    assert letter["From"] == '"Desk of desk.press.example" <desk@press.example>'
    assert letter["Auto-Submitted"] == "auto-generated"
    assert not [name for name in letter if name.startswith("List-")], "there is nothing to unsubscribe from"
    url = service.site.links.url(Purpose.OPERATOR_LINK, link)
    assert url.startswith(f"{DESK}/desk/link/")
    for part in ("plain", "html"):
        assert url in letter.get_body((part,)).get_content()
    assert "Sunday 15 March 2026 at 12:00 (UTC)" in letter.get_body(("plain",)).get_content()


def test_no_stored_text_holds_the_token(service):
    link = owe_link(service)
    service.run(Queue.URGENT)
    token = service.site.links.token(Purpose.OPERATOR_LINK, link)
    with service.site.database.reading() as session:
        (variant,) = session.scalars(select(Variant))
        assert token.encode() not in variant.body.replace(b"=\r\n", b"")
        assert EVA.encode() not in variant.body
    assert token not in str(service.rows())


def test_without_a_sender_no_letter_is_owed(service):
    assert owe_link(service, service_sender=None) is None
    service.run()
    assert service.letters() == []


def test_the_letter_of_a_removed_operator_is_not_sent(service):
    owe_link(service)
    with service.site.database.writing() as session:
        operators.add(session, "ada@press.example", role=Role.ADMIN, actor="tests", now=service.clock())
        operators.remove(session, operators.of_address(session, EVA), actor="tests", now=service.clock())
    service.run(Queue.URGENT)
    assert service.letters() == []
    with service.site.database.reading() as session:
        assert session.scalar(select(Delivery.status)) is DeliveryStatus.FAILED


def test_a_week_later_the_address_is_gone_and_the_sums_hold(service):
    owe_link(service)
    service.run()
    service.clock.advance(days=7, seconds=1)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        (total,) = session.scalars(select(Letter))
        assert total.occasion == totals.total_of(LetterKind.TEST)
        assert status_counts(session, total.id)[DeliveryStatus.SENT] == 1
        assert session.scalars(select(Variant)).all() == session.scalars(select(Delivery)).all() == []
        assert examination.examine(session) == []
    rows = service.rows()
    assert EVA not in str({name: held for name, held in rows.items() if name != "operators"})


def test_a_letter_that_still_waits_after_a_week_stays(service):
    owe_link(service)
    with service.site.database.writing() as session:
        later = service.clock() + timedelta(days=8)
        assert folding.fold_tests(session, now=later) == 0
        assert session.scalar(select(Delivery.status)) is DeliveryStatus.QUEUED


def test_doctor_and_monitoring_cope_with_a_letter_of_no_newsletter(service):
    owe_link(service)
    with service.site.database.reading() as session:
        assert examination.examine(session) == []
    assert service.browser.get("/health/work").status_code in {200, 503}
    assert service.browser.get("/metrics").status_code == 200
