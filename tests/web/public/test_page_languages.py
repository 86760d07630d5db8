"""Each reader's pages are in the language of the sign-up or subscription, whatever the browser wants."""

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter import templating
from newsletter.consent.signups.signups import Signup
from newsletter.consent.subscribers.subscribers import Subscriber, Subscription
from newsletter.consent.wordings import wording_publication
from newsletter.links import Purpose, minute_of
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

ANA = "ana@example.org"
BROWSER = {"Accept-Language": "fr, en;q=0.5"}


@pytest.fixture(autouse=True)
def _newsletters(service: WholeService) -> None:
    """One in German that is offered in Arabic as well, and one in English."""
    german = service.newsletter("morgen", language="de", name="Der Morgen", publisher="Beispielverlag", brand="#7a1fa2")
    service.newsletter("evening")
    with service.site.database.writing() as session:
        german = session.merge(german, load=False)
        text, now = "Ja, ich möchte Briefe.", service.clock()
        wording_publication.publish(session, templating.environment, german, text=text, actor="tests", now=now)
        session.execute(update(Newsletter).where(Newsletter.id == german.id).values(other_languages=["ar"]))
    service.let_the_site_read_newsletters_again()


def spoken(answer) -> tuple[str, str, str]:
    """Return what the page and its header say of its language."""
    html = LexborHTMLParser(answer.text).css_first("html").attributes
    return html["lang"], html["dir"], answer.headers["content-language"]


def asked(service: WholeService, language: str | None) -> dict[str, str]:
    """Sign Ana up for the German newsletter in a language; return the links of her letter."""
    service.sign_up(ANA, "morgen")
    with service.site.database.writing() as session:
        session.execute(update(Signup).values(language=language))
    service.run(Queue.URGENT)
    letter = service.letters(to=ANA)[-1]
    return {path: service.link(letter, path) for path in ("confirm", "never")}


def reader_ids(service: WholeService, slug: str, language: str | None) -> tuple[int, int]:
    """Make Ana a reader of a newsletter in a language; return the ids that her links contain."""
    service.reader(ANA, slug)
    with service.site.database.writing() as session:
        newsletter = session.scalars(select(Newsletter.id).where(Newsletter.slug == slug)).one()
        hers = Subscription.newsletter_id == newsletter
        session.execute(update(Subscription).where(hers).values(language=language))
        return session.scalars(select(Subscriber.id)).one(), newsletter


@pytest.mark.parametrize(("language", "page"), [("ar", ("ar", "rtl", "ar")), (None, ("de", "ltr", "de"))])
def test_the_pages_of_a_confirmation_letter_are_in_the_language_of_the_sign_up(service, language, page):
    links, browser = asked(service, language), service.browser
    assert spoken(browser.get(links["never"], headers=BROWSER)) == page
    assert spoken(browser.get(links["confirm"], headers=BROWSER)) == page
    assert spoken(browser.post(links["confirm"], data={"confirm": "yes"}, headers=BROWSER)) == page
    assert spoken(browser.get(links["confirm"], headers=BROWSER)) == page
    assert spoken(browser.post(links["never"], data={"never": "yes"}, headers=BROWSER)) == page
    expired = browser.get(links["confirm"], headers=BROWSER)
    assert (expired.status_code, spoken(expired)) == (410, page)
    assert "Beispielverlag" in expired.text
    assert "7a1fa2" in expired.text


def test_the_pages_of_a_letter_are_in_the_language_of_the_subscription(service):
    subscriber, newsletter = reader_ids(service, "morgen", "ar")
    links, browser = service.site.links, service.browser
    page = browser.get(f"/preferences/{links.token(Purpose.PREFERENCES, subscriber, newsletter)}", headers=BROWSER)
    assert spoken(page) == ("ar", "rtl", "ar")
    assert LexborHTMLParser(page.text).css_first("h1 bdi").attributes == {"lang": "de"}
    unsubscribe = f"/u/{links.token(Purpose.UNSUBSCRIBE, subscriber, newsletter)}"
    assert spoken(browser.get(unsubscribe, headers=BROWSER)) == ("ar", "rtl", "ar")
    assert spoken(browser.post(unsubscribe, data={"unsubscribe": "yes"})) == ("ar", "rtl", "ar")
    one_click = browser.post(unsubscribe, data={"List-Unsubscribe": "One-Click"})
    assert (one_click.status_code, one_click.text) == (200, "You are unsubscribed.\n")


def test_who_reads_in_two_languages_has_one_page_in_one_of_them_and_each_name_in_its_own(service):
    subscriber, _ = reader_ids(service, "morgen", None)
    reader_ids(service, "evening", None)
    token = service.site.links.token(Purpose.FRESH_PREFERENCES, subscriber, minute_of(service.clock()))
    german = service.browser.get(f"/preferences/{token}", headers={"Accept-Language": "de-CH"})
    english = service.browser.get(f"/preferences/{token}", headers={"Accept-Language": "ar, en;q=0.1"})
    assert (spoken(german), spoken(english)) == (("de", "ltr", "de"), ("en", "ltr", "en"))
    assert [bdi.attributes["lang"] for bdi in LexborHTMLParser(german.text).css("label b bdi")] == ["en"]
    assert [bdi.attributes["lang"] for bdi in LexborHTMLParser(english.text).css("label b bdi")] == ["de"]
    assert german.headers["vary"] == "Accept-Language"


def test_a_reader_chooses_the_language_of_each_newsletter_on_the_page_behind_a_mailed_link(service):
    subscriber, newsletter = reader_ids(service, "morgen", None)
    reader_ids(service, "evening", None)
    token = service.site.links.token(Purpose.FRESH_PREFERENCES, subscriber, minute_of(service.clock()))
    link, save = f"/preferences/{token}", {"save": "yes", "newsletters": ["morgen", "evening"]}
    (of_morgen,) = LexborHTMLParser(service.browser.get(link).text).css("select[name^=language-]")
    assert [option.attributes["value"] for option in of_morgen.css("option")] == ["de", "ar"]
    saved = service.browser.post(link, data={**save, "language-morgen": "ar", "language-evening": "ar"})
    assert "Der Morgen" in LexborHTMLParser(saved.text).css_first("[role=status]").text()
    assert LexborHTMLParser(saved.text).css_first("[name=language-morgen] option[selected]").attributes["value"] == "ar"
    unsubscribe = f"/u/{service.site.links.token(Purpose.UNSUBSCRIBE, subscriber, newsletter)}"
    assert spoken(service.browser.get(unsubscribe))[0] == "ar"
    for unknown in ("fr", "", "x\x00"):
        service.browser.post(link, data={**save, "language-morgen": unknown})
    assert spoken(service.browser.get(unsubscribe))[0] == "ar"


def test_an_error_page_has_the_newsletters_look_and_the_visitors_language_among_those_offered(service):
    browser, arabic = service.browser, {"Accept-Language": "ar-EG, en"}
    missing = browser.get("/archive/morgen/7", headers=arabic)
    assert (missing.status_code, spoken(missing)) == (404, ("ar", "rtl", "ar"))
    assert "Beispielverlag" in missing.text
    assert "7a1fa2" in missing.text
    assert spoken(browser.get("/archive/morgen/7", headers={"Accept-Language": "en"})) == ("de", "ltr", "de")
    unreadable = browser.get("/u/k1.AAAA", headers={"Accept-Language": "en"})
    assert (unreadable.status_code, spoken(unreadable)) == (404, ("en", "ltr", "en"))
    assert "Beispielverlag" not in unreadable.text
    refused = browser.post("/n/morgen", headers=arabic)
    assert (refused.status_code, refused.headers["allow"], spoken(refused)) == (405, "GET", ("ar", "rtl", "ar"))
    assert LexborHTMLParser(refused.text).css_first("main a").attributes["href"] == "/n/morgen"
    too_large = browser.post("/subscribe", content=b"x" * 70_000, headers=arabic)
    assert (too_large.status_code, spoken(too_large)) == (413, ("ar", "rtl", "ar"))


def test_links_lead_to_pages_in_the_language_that_the_visitor_chose_or_the_reader_gets(service):
    links, browser = asked(service, "ar"), service.browser
    pages = [browser.get("/?language=ar"), browser.get("/n/morgen?language=ar")]
    pages.append(browser.post(links["confirm"], data={"confirm": "yes"}))
    followed = set()
    for page in pages:
        links_of_page = LexborHTMLParser(page.text).css("header p a, main a, footer a")
        followed |= {str(link.attributes["href"]) for link in links_of_page if "evening" not in str(link.attributes)}
    assert {"/?language=ar", "/n/morgen?language=ar", "/archive?language=ar", "/archive/morgen?language=ar"} <= followed
    assert {spoken(browser.get(path, headers=BROWSER)) for path in followed if path[0] == "/"} == {("ar", "rtl", "ar")}
    assert "?language=" not in browser.get("/n/morgen", headers=BROWSER).text, "who chose nothing is not told to"
