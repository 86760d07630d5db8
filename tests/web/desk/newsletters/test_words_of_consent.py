"""Words of consent at the desk: proposals, previews, new versions, and who may publish."""

import pytest

from newsletter import newsletters
from newsletter.consent.wordings import wordings
from newsletter.operators.roles import Role
from tests.web.desk.newsletters.texts import text

WORDS = "/newsletters/morning/wordings"


@pytest.fixture
def morning(service):
    return service.newsletter(other_languages=["de", "el"])


def current(service, tag):
    with service.site.database.reading() as session:
        return wordings.current(session, newsletters.named(session, "morning").id, tag)


def entered(page):
    return {name: page.css_first(f"textarea[name={name}]").text().strip() for name in ("wording", "information")}


def test_languages_without_words_are_told_and_one_press_publishes_the_proposal(service, sign_in, morning):
    desk = sign_in(Role.ADMIN, "morning")
    page = desk.page(WORDS)
    assert text(page, "h1") == ["The Morning Letter has no words of consent in German, Greek yet"]
    assert text(page, ".read[lang=de]")[0].startswith("Ich ")
    assert "No words are proposed" in text(page, "section")[2]
    for leads_to in (f"{WORDS}?done=published", f"{WORDS}/de?done=kept"):
        assert desk.post(f"{WORDS}/de/proposed", of=WORDS).headers["location"] == f"/desk{leads_to}"
    assert "already" in text(desk.page(leads_to), ".notice")[0]
    assert current(service, "de").version == 1
    assert desk.post(f"{WORDS}/el/proposed", of=WORDS).status_code == 404
    assert desk.post(f"{WORDS}/no-language/proposed", of=WORDS).status_code == 404
    service.let_the_site_read_newsletters_again()
    assert "Ich " in service.browser.get("/n/morning?language=de").text


def test_own_words_are_previewed_then_published_once(service, sign_in, morning):
    desk, path = sign_in(Role.ADMIN, "morning"), f"{WORDS}/en"
    form = entered(desk.page(path))
    assert desk.post(path, form, of=path).headers["location"] == f"/desk{path}?done=same"
    assert current(service, "en").version == 1
    own = {
        "wording": "I want <b>it</b>.\r\n Really.",
        "information": "Who\r\nExample Press,\r\nTown\r\n \r\nWhy\r\nNews",
    }
    rows = service.rows()
    preview = desk.post(f"{path}/preview", own, of=path)
    assert "I want &lt;b&gt;it&lt;/b&gt;. Really." in preview.text
    assert "Example Press, Town" in preview.text
    assert service.rows() == rows
    for notice in ("published", "same"):
        assert desk.post(path, own, of=path).headers["location"] == f"/desk{path}?done={notice}"
    new = current(service, "en")
    assert (new.version, new.text) == (2, "I want <b>it</b>. Really.")
    assert new.information == {
        "language": "en",
        "entries": [["Who", "Example Press, Town"], ["Why", "News"]],
        "own": True,
    }
    page = desk.page(path)
    assert text(page, "h1") == ["Visitors agree to version 2 in English"]
    assert [line.split(" ")[1] for line in text(page, "summary")] == ["2", "1"]
    assert f"published by {desk.address}" in text(page, "summary")[0]
    assert entered(desk.page(f"{path}?proposal=yes")) == form
    assert desk.post(path, form, of=path).headers["location"] == f"/desk{path}?done=published"
    assert "own" not in current(service, "en").information, "the proposal follows the newsletter's fields again"


UNFIT = [
    ("wording", ""),
    ("wording", "I \x00 agree"),
    ("wording", "I" * 4001),
    ("information", "A term without a text"),
    ("information", ""),
]


def test_words_that_cannot_be_published_are_shown_again(service, sign_in, morning):
    desk, path = sign_in(Role.ADMIN, "morning"), f"{WORDS}/en"
    form = entered(desk.page(path))
    for field, value in UNFIT:
        answer = desk.post(path, {**form, field: value}, of=path)
        assert answer.status_code == 422
        assert f'id="{field}-error"' in answer.text
        assert desk.post(f"{path}/preview", {**form, field: value}, of=path).status_code == 422
    assert current(service, "en").version == 1


def test_a_language_without_a_proposal_takes_own_words_beside_english_information(service, sign_in, morning):
    desk, path = sign_in(Role.ADMIN, "morning"), f"{WORDS}/el"
    form = entered(desk.page(path))
    assert form["wording"] == ""
    desk.post(path, {**form, "wording": "Θέλω το γράμμα."}, of=path)
    assert current(service, "el").information["language"] == "en"
    assert desk.get(f"{WORDS}/{'x' * 40}").status_code == 404


def test_a_viewer_reads_the_words_and_publishes_none(service, sign_in, morning):
    viewer = sign_in(Role.VIEWER, "morning")
    assert not viewer.page(WORDS).css("main form")
    assert not viewer.page(f"{WORDS}/en").css("main form")
    assert "I ask Example Press" in viewer.page(f"{WORDS}/en").body.text()
    assert viewer.post(f"{WORDS}/de/proposed").status_code == 403
    assert current(service, "de") is None


def test_versions_are_paged(service, sign_in, morning):
    for number in range(21):
        service.publish_words("morning", f"I agree to number {number}.", "en")
    desk, path = sign_in(Role.VIEWER, "morning"), f"{WORDS}/en"
    assert len(desk.page(path).css("summary")) == 20
    older = next(a.attributes["href"] for a in desk.page(path).css("a") if a.text() == "Older")
    assert [line.split(" ")[1] for line in text(desk.page(path + older.partition("#")[0]), "summary")] == ["2", "1"]
