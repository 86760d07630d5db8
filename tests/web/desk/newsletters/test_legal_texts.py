"""The legal pages at the desk: what is generated, what is the publisher's own, and the way back."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.operators.roles import Role
from tests.web.desk.newsletters.texts import text

PAGES = "/newsletters/morning/pages"
IMPRINT = f"{PAGES}/imprint/en"


@pytest.fixture
def desk(service, sign_in):
    service.newsletter(other_languages=["de"])
    return sign_in(Role.ADMIN, "morning")


def test_a_text_of_ones_own_is_shown_until_it_is_removed(service, desk):
    assert text(desk.page(PAGES), "h1") == ["All legal pages are written from the settings"]
    generated = desk.page(IMPRINT).css_first("#text").text()
    assert "Example Press" in generated
    assert (
        desk.post(IMPRINT, {"text": generated.replace("\n", "\r\n")}, of=IMPRINT)
        .headers["location"]
        .endswith("?done=same")
    )
    assert text(desk.page(PAGES), ".tag") == ["generated"] * 6
    words = "# Who we are\n\n<b>Example</b> Press, register 7"
    assert desk.post(IMPRINT, {"text": words}).headers["location"] == f"/desk{IMPRINT}?done=changed"
    page = desk.page(IMPRINT)
    assert "in your own words in English" in text(page, "h1")[0]
    assert "Without a text: German." in text(page, ".notice.warn")[0]
    shown = service.browser.get("/n/morning/imprint").text
    assert "&lt;b&gt;Example&lt;/b&gt; Press, register 7" in shown
    frame = desk.get(page.css_first("iframe").attributes["src"].removeprefix("/desk"))
    assert "register 7" in frame.text
    assert "sandbox" in frame.headers["content-security-policy"]
    desk.post(f"{IMPRINT}/generated")
    assert desk.post(f"{IMPRINT}/generated").status_code == 303, "somebody else was faster"
    assert desk.page(IMPRINT).css_first("#text").text() == generated


def test_what_cannot_be_shown_is_told_and_the_entered_text_stays(service, desk):
    rows = service.rows()
    shown = desk.post(f"{IMPRINT}/preview", {"text": "# A draft"}, of=IMPRINT)
    assert "A draft" in LexborHTMLParser(shown.text).css_first("h2").text()
    assert desk.post(f"{IMPRINT}/preview", {"text": ""}).status_code == 422
    refused = desk.post(IMPRINT, {"text": "x" * 20_001})
    assert refused.status_code == 422
    page = LexborHTMLParser(refused.text)
    assert "20,001 characters" in page.css_first("#text-error").text()
    assert len(page.css_first("#text").text().strip()) == 20_001
    assert service.rows() == rows
    assert desk.get(f"{PAGES}/terms/en").status_code == 404


def test_a_viewer_reads_the_texts(sign_in, desk):
    viewer = sign_in(Role.VIEWER, "morning")
    page = viewer.page(IMPRINT)
    assert not page.css("main form")
    assert "Example Press" in page.css_first("main .read").text()
    assert viewer.post(IMPRINT, {"text": "x"}).status_code == 403
