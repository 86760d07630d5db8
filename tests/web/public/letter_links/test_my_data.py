"""What we store about a reader, in plain words, behind a link that was mailed to the address."""

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlalchemy import select

from newsletter.consent.evidence_terms import EvidenceField, EvidenceTerm
from newsletter.consent.ledger import ledger
from newsletter.consent.ledger.ledger import Event
from newsletter.consent.subscribers import subscribers
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.links import FRESH_LIFETIME, Purpose, minute_of
from newsletter.privacy import consent_history
from newsletter.queues.wakeups import Queue
from newsletter.web.public.letter_links import evidence_labels
from tests.web.public.answers import without
from tests.whole_service import WholeService

ANA, BROWSER = "ana@example.org", "Journey/7.0"

pytestmark = pytest.mark.parametrize("service", ["sqlite"], indirect=True)  # PostgreSQL reads the same rows


@pytest.fixture(autouse=True)
def _reader(service: WholeService):
    service.browser.headers["user-agent"] = BROWSER
    service.newsletter()
    service.newsletter("evening")
    service.reader(ANA)
    service.clock.advance(days=2)


def page(service: WholeService, query: str = "", *, of: str = ANA) -> LexborHTMLParser:
    with service.site.database.reading() as session:
        number = session.scalars(select(Subscriber.id).where(Subscriber.address_key == of)).one()
    token = service.site.links.token(Purpose.FRESH_PREFERENCES, number, minute_of(service.clock()))
    answer = service.browser.get(f"/my-data/{token}{query}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return LexborHTMLParser(answer.text)


def told(shown: LexborHTMLParser) -> list[str]:
    return [entry.css_first("p").text() for entry in shown.css("ol.ledger > li")]


def test_the_history_tells_what_was_agreed_when_and_how(service):
    shown = page(service)
    assert told(shown) == [
        "This address was entered for The Morning Letter, and the box of consent was ticked.",
        "You confirmed The Morning Letter.",
    ]
    first = shown.css_first("ol.ledger > li").text()
    for stored in ("I ask Example Press", "on our own page", BROWSER, "version 1, English", ANA):
        assert stored in first
    assert shown.css_first("ol.ledger time").attributes["datetime"].startswith("20")
    information = shown.text()
    for promise in ("Who else sees it", "How long it is kept", "until the end of the third year"):
        assert promise in information


def details(entry: LexborNode) -> dict[str, str]:
    """Return all that the page shows as stored with an entry."""
    return {each.css_first("dt").text(): each.css_first("dd").text() for each in entry.css("dl > div")}


def test_all_that_is_stored_is_told_in_the_words_of_the_readers_language(service):
    service.newsletter("abend", language="de")
    service.reader("uta@example.org", "abend")
    shown = page(service, of="uta@example.org").css("ol.ledger > li")
    assert (
        details(shown[0]).items()
        >= {"Ort des Formulars": "auf unserer eigenen Seite", "Sprache des Formulars": "Deutsch"}.items()
    )
    assert details(shown[1])["Wie es uns erreicht hat"].startswith("über die Schaltfläche")
    assert not set(EvidenceField) & {name for each in shown for name in details(each)}


def test_the_language_of_the_letters_is_told_for_each_newsletter(service):
    service.newsletter("abend", language="de")
    assert service.sign_up("uta@example.org", "abend", language="de").status_code == 202
    service.run(Queue.URGENT)
    stored = [each.text() for each in page(service, of="uta@example.org").css("main > section:first-of-type dd")]
    assert stored[-1].startswith("Sie haben ihn noch nicht bestätigt.")
    assert stored[-1].endswith("Sprache · Deutsch")


def test_everything_that_evidence_can_name_has_a_label_and_every_value_of_ours_has_words():
    assert evidence_labels.FIELDS.keys() == set(EvidenceField)
    assert evidence_labels.TERMS.keys() == set(EvidenceTerm)


def test_what_another_release_stored_is_shown_as_it_is_stored_and_what_people_entered_is_not_translated(service):
    stored = {"invented_later": "not stated", "name": "never", "how": "by a way invented later"}
    with service.site.database.writing() as session:
        person = subscribers.lock_by_key(session, ANA)
        ledger.append(session, person.subject, Event.REFUSED, evidence=stored, trace=None, now=service.clock())
    shown = details(page(service).css("ol.ledger > li")[-1])
    assert shown == {"invented_later": "not stated", "Name": "never", "How we were told": "by a way invented later"}


def test_newsletters_are_told_by_their_names_and_one_that_is_gone_by_its_slug(service):
    stored = {"newsletters": "morning, evening, noon", "form_offered": "evening"}
    with service.site.database.writing() as session:
        person = subscribers.lock_by_key(session, ANA)
        ledger.append(session, person.subject, Event.CONFIRMED, evidence=stored, trace=None, now=service.clock())
    shown = details(page(service).css("ol.ledger > li")[-1])
    assert shown == {
        "Newsletters in the form": "The Evening Letter",
        "Newsletters": "The Morning Letter, The Evening Letter and noon",
    }


def test_the_page_tells_what_became_of_the_evidence_that_was_erased(service):
    service.sign_up(ANA, "evening")
    service.run(Queue.URGENT)
    service.clock.advance(days=4)
    service.run(Queue.UPKEEP)
    *_, requested, lapsed = page(service).css("ol.ledger > li")
    assert "The details of this entry were erased." in requested.text()
    assert "Nobody confirmed The Evening Letter in time" in lapsed.text()


def test_a_long_history_has_pages_and_none_shows_another_person(service):
    service.reader("eve@example.org")
    with service.site.database.writing() as session:
        person = subscribers.lock_by_key(session, ANA)
        for number in range(consent_history.PAGE_SIZE):
            ledger.append(
                session,
                person.subject,
                Event.REFUSED,
                evidence={"address": ANA, "how": f"number {number}"},
                trace=None,
                now=service.clock(),
            )
    newest = page(service)
    assert len(told(newest)) == consent_history.PAGE_SIZE
    earlier = newest.css_first("a[href^='?before=']").attributes["href"]
    assert told(page(service, earlier))[-1] == "You confirmed The Morning Letter."
    assert len(told(page(service, "?before=nonsense"))) == consent_history.PAGE_SIZE
    assert "eve@example.org" not in newest.html


def test_what_somebody_entered_is_shown_as_text(service):
    service.sign_up(ANA, "evening", name="<script>alert(1)</script>")
    service.run(Queue.URGENT)
    letter = service.letters(to=ANA)[-1]
    service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"})
    shown = page(service)
    assert not shown.css("script")
    assert "<script>alert(1)</script>" in shown.text()


def test_asking_by_address_answers_the_same_for_everybody_and_writes_to_those_who_are_stored(service):
    answers = [service.browser.post("/my-data", data={"email": each}) for each in (ANA, "eve@example.org")]
    assert [each.status_code for each in answers] == [200, 200]
    assert without(ANA, answers[0]) == without("eve@example.org", answers[1])
    service.run(Queue.URGENT)
    assert service.letters(to="eve@example.org") == []
    assert service.link(service.letters(to=ANA)[-1], "preferences")
    assert service.browser.post("/my-data", data={"email": "ana@"}).status_code == 422


def test_somebody_who_left_gets_the_link_and_who_wants_no_mail_gets_none(service):
    letter = service.letters(to=ANA)[-1]
    service.browser.post(service.link(letter, "u"), data={"List-Unsubscribe": "One-Click"})
    service.browser.post("/my-data", data={"email": ANA})
    service.run(Queue.URGENT)
    preferences = service.link(service.letters(to=ANA)[-1], "preferences")
    assert "/my-data/" in service.browser.get(preferences).text
    service.browser.post(service.link(letter, "never"), data={"never": "yes"})
    service.clock.advance(days=2)
    count = len(service.letters(to=ANA))
    service.browser.post("/my-data", data={"email": ANA})
    service.run(Queue.URGENT)
    assert len(service.letters(to=ANA)) == count


def test_a_link_that_has_run_out_leads_to_the_page_that_mails_a_new_one(service):
    with service.site.database.reading() as session:
        number = session.scalars(select(Subscriber.id).where(Subscriber.address_key == ANA)).one()
    token = service.site.links.token(Purpose.FRESH_PREFERENCES, number, minute_of(service.clock() - FRESH_LIFETIME))
    answer = service.browser.get(f"/my-data/{token}")
    assert answer.status_code == 410
    assert without(ANA, answer) == answer.text
    assert service.browser.get(f"{answer.url.path}nonsense").status_code >= 400
