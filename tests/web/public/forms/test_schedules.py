"""Pages show how often a newsletter comes, outside the exhibits that prove what was shown."""

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import templating
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.consent.wordings import wording_publication
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.wordings import Wording
from newsletter.content.digests import digests
from newsletter.links import Purpose, minute_of
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA = "ana@example.org"
DAILY = "Every day at 07:00 (Europe/Berlin)."
WEEKLY = "Every Friday at 18:00 (Europe/Berlin)."


@pytest.fixture(autouse=True)
def _newsletter(service: WholeService):
    service.newsletter()


def add_digest(service: WholeService, cron: str, slug: str = "morning", *, active: bool = True) -> None:
    with service.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter).where(Newsletter.slug == slug)).one()
        values = {"name": cron, "cron": cron, "zone": "Europe/Berlin", "actor": "tests", "now": service.clock()}
        digests.add(session, newsletter, **values).active = active


def confirm_page(service: WholeService) -> str:
    service.sign_up(ANA)
    service.run(Queue.URGENT)
    return service.browser.get(service.link(service.letters(to=ANA)[-1], "confirm")).text


def preferences_page(service: WholeService) -> str:
    with service.site.database.reading() as session:
        reader = session.scalars(select(Subscriber.id)).one()
    token = service.site.links.token(Purpose.FRESH_PREFERENCES, reader, minute_of(service.clock()))
    return service.browser.get(f"/preferences/{token}").text


def exhibits(service: WholeService) -> tuple[str, str]:
    """Return the newest wording's exhibits: the form and the confirm page."""
    with service.site.database.reading() as session:
        wording = session.scalars(select(Wording).order_by(Wording.id.desc())).first()
        assert wording
        form, confirm = (session.get_one(Exhibit, sha) for sha in (wording.form_exhibit, wording.confirm_exhibit))
        return form.body.decode(), confirm.body.decode()


def text_of(page: str) -> str:
    return LexborHTMLParser(page).css_first("main").text()


def test_the_confirm_page_shows_how_often_the_newsletter_comes(service):
    add_digest(service, "0 7 * * *")
    add_digest(service, "0 18 * * 5")
    add_digest(service, "0 12 * * *", active=False)
    page = text_of(confirm_page(service))
    assert f"{DAILY} {WEEKLY}" in page
    assert "12:00" not in page


def test_the_confirm_page_shows_no_schedule_if_there_is_none(service):
    assert "Every" not in text_of(confirm_page(service))


def test_pages_contain_the_exhibits_byte_for_byte_and_the_schedule_outside_of_them(service):
    before = exhibits(service)
    add_digest(service, "0 7 * * *")
    with service.site.database.writing() as session:
        wording_publication.publish_current(session, templating.environment, actor="tests", now=service.clock())
    form, confirm = exhibits(service)
    assert (form, confirm) == before, "a new schedule makes no new version of what is agreed to"
    page = confirm_page(service)
    assert confirm in page
    assert DAILY in page.replace(confirm, "")
    assert form in service.browser.get("/n/morning").text


def test_preferences_show_how_often_each_newsletter_comes(service):
    add_digest(service, "0 7 * * *")
    service.newsletter("evening")
    for slug in ("morning", "evening"):
        service.reader(ANA, slug)
    rows = {
        label.css_first("b").text(): label.css_first("small").text()
        for label in LexborHTMLParser(preferences_page(service)).css("label.choice")
    }
    assert rows == {
        "The Morning Letter": f"{DAILY} Since Saturday 14 March 2026.",
        "The Evening Letter": "Since Saturday 14 March 2026.",
    }
