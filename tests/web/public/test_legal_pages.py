"""Privacy notice, imprint and accessibility statement: generated in every language, or the publisher's own."""

from collections.abc import Iterator

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import audit_log, newsletters
from newsletter.consent.wordings import proposed_words, wording_publication
from newsletter.errors import Malformed, NotFound
from newsletter.languages import catalogues
from newsletter.languages.languages import language
from newsletter.legal_pages import page_texts
from newsletter.legal_pages.page_texts import CHANGED, MAX_CHARACTERS, LegalPage
from newsletter.newsletters import Newsletter
from newsletter.web.public import legal_pages
from tests.clock import NOON
from tests.whole_service import WholeService, whole_service

BY = {"actor": "tests", "now": NOON}
OWN = "# Herausgeber\n\nDie Zeitung\n\n<script>alert(1)</script> https://zeitung.example"


@pytest.fixture
def site(sqlite_url, tmp_path) -> Iterator[WholeService]:
    """A service with a newsletter in English and German, and its publisher's site."""
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(other_languages=["de"])
        with service.site.database.writing() as session:
            newsletters.named(session, "morning").site_url = "https://press.example/news"
        service.let_the_site_read_newsletters_again()
        yield service


def drawn(site: WholeService, path: str, wanted: str = "en") -> LexborHTMLParser:
    answer = site.browser.get(path, headers={"Accept-Language": wanted})
    assert answer.status_code == 200
    assert "x-robots-tag" not in answer.headers
    return LexborHTMLParser(answer.text)


def changed(site: WholeService, page: LegalPage, tag: str, text: str) -> None:
    with site.site.database.writing() as session:
        page_texts.change(session, newsletters.named(session, "morning"), page, tag, text, **BY)


@pytest.mark.parametrize("page", LegalPage)
def test_a_page_is_generated_in_each_language_of_the_catalogues_and_found_in_those_of_the_newsletter(site, page):
    headlines = set()
    for tag in catalogues.LANGUAGES:
        shown = drawn(site, f"/n/morning/{page}", tag)
        assert shown.css_first("html").attributes["lang"] == tag
        headlines.add(shown.css_first("main section h2").text())
        assert "letters@press.example" in shown.css_first("main").text()
    assert len(headlines) >= len(catalogues.LANGUAGES) - 2, "two languages may share a word"
    english = drawn(site, f"/n/morning/{page}")
    assert [each.attributes["hreflang"] for each in english.css("link[hreflang]")] == ["en", "de", "x-default"]
    assert english.css_first("link[rel=canonical]").attributes["href"] == f"http://localhost/n/morning/{page}"
    assert drawn(site, f"/{page}").css_first("h1").text() == english.css_first("h1").text()
    assert f"http://localhost/n/morning/{page}<" in site.browser.get("/sitemap.xml").text


def test_the_privacy_notice_tells_what_the_form_tells_in_the_same_words(site):
    notice = drawn(site, "/n/morning/privacy", "de").css_first("main").text()
    with site.site.database.reading() as session:
        told = proposed_words.information([newsletters.named(session, "morning")], "de")
    assert all(term in notice and text in notice for term, text in told["entries"])
    with site.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        own = {"language": "en", "entries": [["Our carrier", "Mail Carriers Inc."]], "own": True}
        site_words = {"text": "Yes.", "language": "en", "information": own}
        wording_publication.publish(session, site.site.templates, newsletter, **site_words, **BY)
    site.let_the_site_read_newsletters_again()
    english = drawn(site, "/n/morning/privacy").css_first("main").text()
    assert "Mail Carriers Inc." in english
    assert "We set no cookies" in english
    assert "Only the companies" not in english


def test_every_page_leads_to_them_and_to_the_publishers_site(site):
    for path in ("/n/morning", "/archive/morning", "/nothing-here"):
        links = LexborHTMLParser(site.browser.get(path).text).css("footer a")
        found = {link.attributes["href"] for link in links}
        assert {f"/n/morning/{page}" for page in LegalPage} | {"https://press.example/news"} <= found
    site.newsletter("evening")
    several = LexborHTMLParser(site.browser.get("/imprint").text)
    assert [link.attributes["href"] for link in several.css("main a")] == ["/n/morning/imprint", "/n/evening/imprint"]
    assert site.browser.get("/n/none/imprint").status_code == 404


def test_a_text_of_the_publishers_own_is_shown_escaped_and_in_its_languages_alone(site):
    changed(site, LegalPage.IMPRINT, "de", OWN)
    for wanted in ("de", "en", "fr"):
        page = drawn(site, "/n/morning/imprint", wanted)
        assert page.css_first("html").attributes["lang"] == "de"
        assert (page.css_first("h1").text(), page.css_first("main h2").text()) == ("Impressum", "Herausgeber")
        assert not page.css("script")
        assert "<script>alert(1)</script>" in page.css_first("main").text()
        assert page.css_first("main a").attributes["href"] == "https://zeitung.example"
    changed(site, LegalPage.IMPRINT, "en", "# Publisher\n\nThe Paper")
    assert drawn(site, "/n/morning/imprint", "fr").css_first("main h2").text() == "Publisher", "the main language"
    assert drawn(site, "/n/morning/privacy").css_first("h1").text() == "We keep only what your letters need"
    with site.site.database.reading() as session:
        newsletter = newsletters.named(session, "morning")
        preview = legal_pages.preview(site.site, newsletter, LegalPage.PRIVACY, "de", "# Entwurf")
    assert "Entwurf" in bytes(preview.body).decode()


def test_a_text_is_removed_again_and_each_change_is_recorded(begin):
    with begin() as session:
        newsletter = newsletters.add(
            session, slug="morning", name="M", publisher="P", sender="a@p.example", postal_address="S", **BY
        )
        page_texts.change(session, newsletter, LegalPage.PRIVACY, "DE", " # Wir \r\n", **BY)
        page_texts.change(session, newsletter, LegalPage.PRIVACY, "de", "# Wir", **BY)
        assert page_texts.own(session, newsletter.id, LegalPage.PRIVACY) == {"de": "# Wir"}
        page_texts.reset(session, newsletter, LegalPage.PRIVACY, "de", **BY)
        assert page_texts.own(session, newsletter.id, LegalPage.PRIVACY) == {}
        recorded = [entry.fields for entry in audit_log.about(session, subject="newsletter:morning", verb=CHANGED)]
        assert [(fields["language"], fields["characters"]) for fields in recorded] == [("de", 5), ("de", 0)]
        for refused in ("", " \n", "a\x00b", "x" * (MAX_CHARACTERS + 1)):
            with pytest.raises(Malformed):
                page_texts.change(session, newsletter, LegalPage.PRIVACY, "de", refused, **BY)
        with pytest.raises(Malformed):
            page_texts.change(session, newsletter, LegalPage.PRIVACY, "not a language", "x", **BY)
        with pytest.raises(NotFound):
            page_texts.reset(session, newsletter, LegalPage.PRIVACY, "fr", **BY)


def test_the_text_that_is_generated_can_be_edited_and_shows_the_same_page(site):
    with site.site.database.reading() as session:
        newsletter: Newsletter = newsletters.named(session, "morning")
        text = legal_pages.generated_text(site.site, newsletter, LegalPage.ACCESSIBILITY, language("en"))
    generated = drawn(site, "/n/morning/accessibility").css("main section")
    changed(site, LegalPage.ACCESSIBILITY, "en", text)
    own = drawn(site, "/n/morning/accessibility").css("main section")
    assert [each.html for each in own] == [each.html for each in generated]
