"""Sign-ups in several languages and on several kinds of forms: each is recorded in the words that were shown."""

import json

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters
from newsletter.consent.ledger.ledger import Event, Evidence, LedgerEntry
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Subscription
from newsletter.consent.wordings import wording_publication, wordings
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.queues.wakeups import Queue

ANA = "ana@example.org"
GERMAN = "Ich will den Brief. Ich kann ihn jederzeit abbestellen."


def publish(service, text: str = GERMAN, language: str = "de", slug: str = "morning") -> None:
    with service.site.database.writing() as session:
        newsletter, by = newsletters.named(session, slug), {"actor": "tests", "now": service.clock()}
        wording_publication.publish(session, service.site.templates, newsletter, text=text, language=language, **by)
    service.let_the_site_read_newsletters_again()


def change(service, **changes) -> None:
    with service.site.database.writing() as session:
        newsletter, by = newsletters.named(session, "morning"), {"actor": "tests", "now": service.clock()}
        wording_publication.change_newsletter(session, service.site.templates, newsletter, **changes, **by)
    service.let_the_site_read_newsletters_again()


def page(service, path: str = "/n/morning", **headers: str) -> LexborHTMLParser:
    return LexborHTMLParser(service.browser.get(path, headers=headers).text)


def fields(form) -> dict[str, str]:
    """Return the hidden fields of a form, and consent."""
    hidden = {str(each.attributes["name"]): each.attributes["value"] for each in form.css("input[type=hidden]")}
    return {**hidden, "consent": "true"}


def confirm(service, email: str = ANA) -> None:
    service.run(Queue.URGENT)
    link = service.link(service.letters(to=email)[-1], "confirm")
    assert service.browser.post(link, data={"confirm": "yes"}).status_code == 200


def evidence(service, event: Event = Event.REQUESTED) -> list[dict[str, str]]:
    with service.site.database.reading() as session:
        rows = select(Evidence.body).join(LedgerEntry, LedgerEntry.id == Evidence.entry_id)
        return [json.loads(body) for body in session.scalars(rows.where(LedgerEntry.event == event))]


def languages(service) -> tuple[list[str], list[str]]:
    """Return the languages of sign-ups and of subscriptions."""
    with service.site.database.reading() as session:
        signups = session.scalars(select(Signup.language).order_by(Signup.id)).all()
        return list(signups), list(session.scalars(select(Subscription.language).order_by(Subscription.newsletter_id)))


def test_a_newsletter_in_two_languages_signs_up_each_visitor_in_their_own(service):
    service.newsletter(other_languages=["de"])
    assert page(service, **{"accept-language": "de-CH, en;q=0.5"}).css_first("form [lang=de]") is None, "no words yet"
    publish(service)
    answer = service.browser.get("/n/morning", headers={"accept-language": "de-CH, en;q=0.5"})
    assert (answer.headers["content-language"], "Accept-Language" in answer.headers["vary"]) == ("de", True)
    german = LexborHTMLParser(answer.text)
    assert german.css_first("html").attributes["lang"] == "de"
    assert german.css_first("form .read[lang=de]").text() == GERMAN
    assert german.css_first('nav a[hreflang="en"]').attributes["href"] == "/n/morning?language=en"
    posted = service.browser.post("/subscribe", data={**fields(german.css_first("form")), "email": ANA})
    assert (posted.status_code, posted.headers["content-language"]) == (202, "de")
    confirm(service)
    assert languages(service) == (["de"], ["de"])
    (shown,) = evidence(service)
    assert (shown["form_kind"], shown["form_language"], shown["form_offered"]) == (
        "hosted: on our own page", "de", "morning",
    )  # fmt: skip


def test_a_newsletter_without_published_words_takes_no_sign_ups_and_says_so(service):
    service.newsletter(language="el", other_languages=["en"])
    closed = page(service)
    assert closed.css_first("form") is None
    assert "takes no sign-ups" in closed.css_first("main").text()
    answer = service.browser.post("/subscribe", data={"newsletters": "morning", "email": ANA, "consent": "true"})
    assert answer.status_code == 422
    assert service.rows()["signups"] == []
    publish(service, "I want it.", "en")
    assert page(service).css_first("form .read").text() == "I want it.", "only the other language has words"
    asked = page(service, "/n/morning?language=el")
    assert asked.css_first("form") is None, "the link names the language without words"
    assert asked.css_first('nav a[hreflang="en"]'), "it leads to the one with words"


def test_any_accept_language_gets_a_page_in_a_language_with_words(service):
    service.newsletter()
    for header in ("de," * 2700, "*", "tlh, xx-yy;q=0.9", "de;q=nonsense", "\xff, de--"):
        answer = service.browser.get("/n/morning", headers={"accept-language": header.encode("latin-1")})
        assert (answer.status_code, answer.headers["content-language"]) == (200, "en"), header


def test_a_posted_language_that_the_newsletter_does_not_offer_leaves_that_of_the_form(service):
    service.newsletter(other_languages=["de"])
    form = service.form()
    wanted = {"one": "de-AT", "two": "tlh", "three": "fr", "four": ""}
    for name, tag in wanted.items():
        body = {**form, "email": f"{name}@example.org", "name": "Ana ابن سينا", "language": tag}
        assert service.browser.post("/subscribe", data=body).status_code == 202
    assert languages(service)[0] == ["de", "en", "en", "en"]


def test_a_newsletter_that_changes_its_language_keeps_that_of_forms_which_were_open(service):
    service.newsletter()
    form = service.form()
    change(service, language="de")
    publish(service)
    assert page(service).css_first("form .read").text() == GERMAN
    assert service.browser.post("/subscribe", data={**form, "email": ANA}).headers["content-language"] == "en"
    confirm(service)
    assert languages(service) == (["en"], ["en"])


def test_a_form_of_several_newsletters_signs_up_for_those_that_are_ticked(service):
    for slug in ("morning", "evening", "weekly"):
        service.newsletter(slug)
    assert page(service, "/").css_first("form") is None
    with service.site.database.writing() as session:
        offered = [newsletters.named(session, slug) for slug in ("morning", "evening")]
        wording_publication.publish_several(
            session, service.site.templates, offered, language="en", actor="tests", now=service.clock()
        )
    service.let_the_site_read_newsletters_again()
    form = page(service, "/").css_first("form")
    assert [(box.attributes["value"], "checked" in box.attributes) for box in form.css("[name=newsletters]")] == [
        ("morning", False), ("evening", False),
    ]  # fmt: skip
    data = {**fields(form), "email": ANA}
    none = service.browser.post("/subscribe", data=data)
    assert none.status_code == 422
    assert LexborHTMLParser(none.text).css_first("[role=alert] a").attributes["href"] == "#newsletters"
    other = service.browser.post("/subscribe", json={**data, "newsletters": ["morning", "weekly"], "consent": True})
    assert other.json()["errors"].keys() == {"wording"}
    both = service.browser.post("/subscribe", data={**data, "newsletters": ["morning", "evening"]})
    assert both.status_code == 202
    confirm(service)
    assert languages(service) == (["en"], ["en", "en"])
    assert [each["form_offered"] for each in evidence(service)] == ["morning, evening"] * 2
    assert [each["newsletters"] for each in evidence(service, Event.CONFIRMED)] == ["morning, evening"] * 2
    assert service.form("weekly").keys() >= {"newsletters", "wording", "form"}, "each keeps its own page"


def test_a_pasted_form_is_evidenced_as_generated_and_its_page_as_not_seen(service):
    service.newsletter()
    form, html = service.paste_form(base_url="https://letters.example")
    with service.site.database.reading() as session:
        shown = session.get_one(Exhibit, form.exhibit).body.decode()
    assert shown in html
    parsed = LexborHTMLParser(html).css_first("form")
    assert parsed.attributes["action"] == "https://letters.example/subscribe"
    assert service.browser.post("/subscribe", data={**fields(parsed), "email": ANA}).status_code == 202
    service.run(Queue.URGENT)
    (kept,) = evidence(service)
    assert (kept["form"], kept["form_kind"]) == (form.exhibit, "pasted: as generated; page not seen")


def test_a_form_is_named_by_its_exhibit_as_in_the_release_before(service):
    service.newsletter()
    with service.site.database.reading() as session:
        wording = wordings.newest(session)[0]
    old = {"newsletters": "morning", "wording": wording.id, "form": wording.form_exhibit, "consent": "true"}
    assert service.form().items() >= {**old, "wording": str(wording.id)}.items(), "it may receive what this one shows"
    assert service.browser.post("/subscribe", data={**old, "email": ANA}).status_code == 202
    assert service.browser.post("/subscribe", data={**old, "email": ANA, "form": "0" * 64}).status_code == 422
