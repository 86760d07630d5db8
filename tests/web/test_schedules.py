"""Pages show how often a newsletter comes, outside the exhibits that prove what was shown."""

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.consent import forms
from newsletter.consent.exhibits import Exhibit
from newsletter.consent.subscribers import Subscriber
from newsletter.consent.wordings import Wording
from newsletter.content.digests import digests
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA = "ana@example.org"
DAILY = "At 07:00 every day (Europe/Berlin)."
WEEKLY = "At 18:00 on Friday (Europe/Berlin)."


@pytest.fixture(autouse=True)
def _newsletter(stage: WholeService):
    stage.newsletter()


def add_digest(stage: WholeService, cron: str, slug: str = "morning", *, active: bool = True) -> None:
    with stage.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter).where(Newsletter.slug == slug)).one()
        values = {"name": cron, "cron": cron, "zone": "Europe/Berlin", "actor": "tests", "now": stage.clock()}
        digests.add(session, newsletter, **values).active = active


def confirm_page(stage: WholeService) -> str:
    stage.sign_up(ANA)
    stage.run(Queue.URGENT)
    return stage.browser.get(stage.link(stage.letters(to=ANA)[-1], "confirm")).text


def preferences_page(stage: WholeService) -> str:
    with stage.site.database.reading() as session:
        reader = session.scalars(select(Subscriber.id)).one()
    return stage.browser.get(f"/preferences/{stage.site.links.token(Purpose.PREFERENCES, reader)}").text


def exhibits(stage: WholeService) -> tuple[str, str]:
    """Return the newest wording's exhibits: the form and the confirm page."""
    with stage.site.database.reading() as session:
        wording = session.scalars(select(Wording).order_by(Wording.id.desc())).first()
        assert wording
        form, confirm = (session.get_one(Exhibit, sha) for sha in (wording.form_exhibit, wording.confirm_exhibit))
        return form.body.decode(), confirm.body.decode()


def text_of(page: str) -> str:
    return LexborHTMLParser(page).css_first("main").text()


def test_the_confirm_page_shows_how_often_the_newsletter_comes(stage):
    add_digest(stage, "0 7 * * *")
    add_digest(stage, "0 18 * * 5")
    add_digest(stage, "0 12 * * *", active=False)
    page = text_of(confirm_page(stage))
    assert f"{DAILY} {WEEKLY}" in page
    assert "12:00" not in page


def test_the_confirm_page_shows_no_schedule_if_there_is_none(stage):
    assert "How often" not in text_of(confirm_page(stage))


def test_pages_contain_the_exhibits_byte_for_byte_and_the_schedule_outside_of_them(stage):
    before = exhibits(stage)
    add_digest(stage, "0 7 * * *")
    with stage.site.database.writing() as session:
        forms.publish_current(session, stage.site.templates, actor="tests", now=stage.clock())
    form, confirm = exhibits(stage)
    assert (form, confirm) == before, "a new schedule makes no new version of what is agreed to"
    page = confirm_page(stage)
    assert confirm in page
    assert DAILY in page.replace(confirm, "")
    assert form in stage.browser.get("/n/morning").text


def test_preferences_show_how_often_each_newsletter_comes(stage):
    add_digest(stage, "0 7 * * *")
    stage.newsletter("evening")
    for slug in ("morning", "evening"):
        stage.reader(ANA, slug)
    rows = {
        label.css_first("b").text(): label.css_first("small").text()
        for label in LexborHTMLParser(preferences_page(stage)).css("label.choice")
    }
    assert rows == {
        "The Morning Letter": f"{DAILY} Since Saturday 14 March 2026.",
        "The Evening Letter": "Since Saturday 14 March 2026.",
    }
