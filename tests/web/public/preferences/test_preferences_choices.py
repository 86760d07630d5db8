"""What readers choose by links: pauses, and by a freshly mailed one their name, time zone and further newsletters."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter import addresses, newsletters
from newsletter.consent.ledger.ledger import LedgerEntry
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.reader_choices import OPEN_END
from newsletter.consent.subscribers.subscribers import Standing, Subscriber, Subscription
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.content.issues.issues import IssueStatus
from newsletter.doctor import examination
from newsletter.links import FRESH_LIFETIME, Purpose, minute_of
from newsletter.mail.delivery.deliveries import Delivery, DeliveryStatus
from newsletter.queues.wakeups import Queue
from tests.builders import a_reader, an_issue
from tests.web.public.answers import without
from tests.whole_service import WholeService, whole_service

ANA = "ana@example.org"


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as running:
        for slug in ("morning", "evening", "weekend"):
            running.newsletter(slug)
        with running.site.database.writing() as session:
            for slug in ("morning", "evening"):
                a_reader(session, newsletters.named(session, slug), ANA)
        yield running


def letter_link(service: WholeService, slug: str = "morning") -> str:
    with service.site.database.reading() as session:
        ids = ana(session).id, newsletters.named(session, slug).id
    return f"/preferences/{service.site.links.token(Purpose.PREFERENCES, *ids)}"


def fresh_link(service: WholeService) -> str:
    with service.site.database.reading() as session:
        ids = ana(session).id, minute_of(service.clock())
    return f"/preferences/{service.site.links.token(Purpose.FRESH_PREFERENCES, *ids)}"


def ana(session) -> Subscriber:
    return session.scalars(select(Subscriber).where(Subscriber.address_key == ANA)).one()


def details(service: WholeService) -> tuple[str | None, str | None]:
    with service.site.database.reading() as session:
        reader = ana(session)
        return reader.name, reader.zone


def pauses(service: WholeService) -> dict[str, Any]:
    """Return when each pause ends, by newsletter."""
    with service.site.database.reading() as session:
        assert not examination.examine(session)
        rows = session.execute(select(Subscription.newsletter_id, Subscription.paused_until)).all()
        slugs = {each.id: each.slug for each in newsletters.every(session)}
        return {slugs[number]: until for number, until in rows if until}


def posted_as_shown(page: str) -> dict[str, list[str]]:
    """Return what a browser posts if its visitor changes nothing in the page of all newsletters."""
    form: dict[str, list[str]] = {"save": ["yes"]}
    shown = LexborHTMLParser(page).css_first("form")
    for field in shown.css("input"):
        if field.attributes.get("type") != "checkbox" or "checked" in field.attributes:
            form.setdefault(str(field.attributes["name"]), []).append(field.attributes.get("value") or "")
    for field in shown.css("select"):
        option = field.css_first("option[selected]") or field.css_first("option")
        form[str(field.attributes["name"])] = [option.attributes.get("value") or ""]
    return form


def main_of(answer) -> str:
    return " ".join(LexborHTMLParser(answer.text).css_first("main").text().split())


def deliveries(service: WholeService) -> list[DeliveryStatus]:
    """Send an issue of the morning letter, and return what became of Ana's letters of all issues, oldest first."""
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        an_issue(session, morning, status=IssueStatus.APPROVED, run_at=service.clock())
    service.run()
    with service.site.database.reading() as session:
        return list(session.scalars(select(Delivery.status).order_by(Delivery.id)))


def test_a_pause_withholds_issues_and_ends_by_itself(service):
    link = letter_link(service)
    paused = service.browser.post(link, data={"pause": "2"})
    assert "The Morning Letter is paused" in main_of(paused)
    assert "until Saturday 28 March 2026 at 12:00 (UTC). Then they come again by themselves." in main_of(paused)
    assert pauses(service) == {"morning": service.clock() + timedelta(weeks=2)}
    assert deliveries(service) == [DeliveryStatus.WITHHELD]
    service.clock.advance(days=14)
    assert "You get The Morning Letter" in main_of(service.browser.get(link))
    assert deliveries(service) == [DeliveryStatus.WITHHELD, DeliveryStatus.SENT]


def test_a_pause_can_last_until_its_reader_ends_it_and_pressing_twice_is_no_mistake(service):
    link = letter_link(service)
    for _ in range(2):
        assert "until you end the pause" in main_of(service.browser.post(link, data={"pause": "open"}))
    assert pauses(service) == {"morning": OPEN_END}
    my_data = fresh_link(service).replace("/preferences/", "/my-data/")
    assert "Paused until you end the pause" in main_of(service.browser.get(my_data))
    service.clock.advance(days=5000)
    for _ in range(2):
        answer = service.browser.post(link, data={"pause": "resume"})
        assert (answer.status_code, pauses(service)) == (200, {})
        assert "You get The Morning Letter" in main_of(answer)


def test_a_pause_is_no_consent_and_ends_with_the_subscription(service):
    with service.site.database.reading() as session:
        entries = session.query(LedgerEntry).count()
    service.browser.post(letter_link(service), data={"pause": "open"})
    with service.site.database.reading() as session:
        assert session.query(LedgerEntry).count() == entries
    service.browser.post(letter_link(service), data={"leave": "yes"})
    answer = service.browser.post(letter_link(service), data={"pause": "1"})
    assert (answer.status_code, pauses(service)) == (200, {})
    assert "You do not get The Morning Letter any more" in main_of(answer)
    service.clock.advance(minutes=1)
    service.reader(ANA)
    assert pauses(service) == {}


def test_only_what_the_page_offers_pauses_a_newsletter(service):
    before = service.rows()
    for pause in ("", "0", "3", "-1", "999999999", "open ", "x\x00"):
        assert service.browser.post(letter_link(service), data={"pause": pause}).status_code == 422
        assert service.browser.post(fresh_link(service), data={"pause": pause}).status_code == 422
    assert service.rows() == before


def test_a_letters_link_tells_nothing_about_the_pause_of_another_newsletter(service):
    before = service.browser.get(letter_link(service)).text
    service.browser.post(
        fresh_link(service), data={"save": "yes", "pause-evening": "8", "newsletters": ["morning", "evening"]}
    )
    assert pauses(service) == {"evening": service.clock() + timedelta(weeks=8)}
    assert service.browser.get(letter_link(service)).text == before


def test_saving_the_page_as_it_was_shown_changes_nothing(service):
    with service.site.database.writing() as session:
        session.execute(update(Subscriber).values(name="Ana\N{NO-BREAK SPACE}B", zone="Asia/Calcutta"))
        session.execute(update(Subscription).values(paused_until=service.clock() + timedelta(days=9)))
    before, link = service.rows(), fresh_link(service)
    answer = service.browser.post(link, data=posted_as_shown(service.browser.get(link).text))
    assert "Nothing has changed." in main_of(answer)
    assert service.rows() == before


def test_a_page_left_open_overnight_changes_only_what_its_reader_changed_there(service):
    link = fresh_link(service)
    stale = posted_as_shown(service.browser.get(link).text)
    service.browser.post(
        link, data={"save": "yes", "name": "Ana", "zone": "Asia/Tokyo", "newsletters": ["morning", "evening"]}
    )
    service.reader(ANA, "weekend")
    answer = service.browser.post(link, data={**stale, "pause-morning": "1"})
    assert details(service) == ("Ana", "Asia/Tokyo")
    assert list(pauses(service)) == ["morning"]
    assert "at 21:00 (UTC+9)" in main_of(answer), "times are the reader's"
    with service.site.database.reading() as session:
        assert set(session.scalars(select(Subscription.standing))) == {Standing.SUBSCRIBED}, "nothing was unticked"


def test_name_and_zone_are_kept_changed_and_removed(service):
    link = fresh_link(service)
    form = posted_as_shown(service.browser.get(link).text)
    answer = service.browser.post(link, data={**form, "name": " Ana ", "zone": "Europe/Kyiv"})
    assert details(service) == ("Ana", "Europe/Kyiv")
    assert "Our letters greet you as Ana. We tell you times as in Kyiv." in main_of(answer)
    form = posted_as_shown(answer.text)
    assert "greet you without a name" in main_of(service.browser.post(link, data={**form, "name": "", "zone": ""}))
    assert details(service) == (None, None)


def test_with_a_wrong_name_nothing_is_saved_and_nothing_entered_is_lost(service):
    link, before = fresh_link(service), service.rows()
    form = posted_as_shown(service.browser.get(link).text)
    wrong = {
        **form,
        "name": "=?utf-8?q?x?=",
        "zone": "Nowhere/At_All",
        "newsletters": ["morning"],
        "pause-morning": "4",
    }
    answer = service.browser.post(link, data=wrong)
    assert (answer.status_code, service.rows()) == (422, before)
    page = LexborHTMLParser(answer.text)
    links = [link.attributes["href"] for link in page.css("[role=alert] a")]
    assert links == ["#name", "#zone"]
    shown = posted_as_shown(answer.text)
    assert shown == {**wrong, "save": ["yes"], "name": [wrong["name"]], "zone": [""], "pause-morning": ["4"]}
    assert page.css_first("#zone option:not([value])").text() == "Nowhere/At_All"
    mended = service.browser.post(link, data={**shown, "name": "Ana"})
    assert "You no longer get The Evening Letter" in main_of(mended)
    assert (details(service), list(pauses(service))) == (("Ana", None), ["morning"])


def further_form(service: WholeService, link: str) -> tuple[str, dict[str, str]]:
    """Return where the form of a further newsletter is posted, and its fields as shown, with consent."""
    form = LexborHTMLParser(service.browser.get(f"{link}/more/weekend").text).css_first("form")
    fields = form.css("input:not([type=checkbox])")
    shown = {str(field.attributes["name"]): field.attributes.get("value") or "" for field in fields}
    return str(form.attributes["action"]), shown | {"consent": "true"}


def test_a_further_newsletter_is_asked_for_with_the_published_words_and_confirmed_by_mail(service):
    link = fresh_link(service)
    assert f'href="{link}/more/weekend"' in service.browser.get(link).text
    action, form = further_form(service, link)
    assert form["email"] == addresses.mask(ANA)
    answers = [service.browser.post(action, data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert without(ANA, answers[0]) == answers[0].text
    with service.site.database.reading() as session:
        signup = session.scalars(select(Signup)).first()
        assert (signup.address, signup.evidence["form_kind"]) == (ANA, "hosted: on our own page")
        assert signup.evidence["page"] == "preferences page, by a freshly mailed link"
        exhibit = session.get_one(Exhibit, signup.form).body.decode()
    emptied = service.browser.get(f"{link}/more/weekend").text.replace(f'value="{form["email"]}"', 'value=""')
    assert exhibit in emptied, "the form that was shown is the one that is kept"
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=ANA)
    assert "Waits for you to confirm it" in service.browser.get(link).text
    service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"})
    assert service.browser.get(f"{link}/more/weekend", follow_redirects=False).headers["location"] == link
    assert "You get 3 newsletters" in main_of(service.browser.get(link))


def test_a_wrong_form_for_a_further_newsletter_stores_nothing_and_never_shows_the_address(service):
    link = fresh_link(service)
    action, form = further_form(service, link)
    before = service.rows()
    for wrong in (
        {"consent": ""},
        {"email": "somebody@else.example"},
        {"name": "=?x"},
        {"form": "1", "wording": "999"},
    ):
        answer = service.browser.post(action, data=form | wrong)
        assert answer.status_code == 422, wrong
        assert without(ANA, answer) == answer.text
        assert LexborHTMLParser(answer.text).css("[role=alert] p"), wrong
    assert service.browser.post(f"{link}/more/nothing", data=form).status_code == 404
    assert service.browser.get(f"{link}/more/nothing").status_code == 404
    assert service.rows() == before


def test_no_other_link_asks_for_a_further_newsletter(service):
    link = fresh_link(service)
    action, form = further_form(service, link)
    before, of_letter = service.rows(), f"{letter_link(service)}/more/weekend"
    assert service.browser.post(of_letter, data=form).status_code == 410
    assert "The Weekend Letter" not in service.browser.get(of_letter).text
    service.clock.advance(seconds=FRESH_LIFETIME.total_seconds() + 60)
    for answer in (service.browser.post(action, data=form), service.browser.get(action)):
        assert answer.status_code == 410
        assert LexborHTMLParser(answer.text).css_first("form").attributes["action"] == link
    assert service.rows() == before
