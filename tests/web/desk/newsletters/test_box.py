"""The sign-up box at the desk: its sites, its words, what to paste, and how many sign up."""

from html import unescape

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from tests.web.desk.newsletters.texts import text

BOX = "/newsletters/morning/box"


@pytest.fixture
def desk(service, sign_in):
    service.newsletter(other_languages=["de"])
    return sign_in(Role.ADMIN, "morning")


def test_a_site_is_registered_by_any_of_its_pages_and_removed_again(desk):
    assert text(desk.page(BOX), "h1") == ["No site is registered for the box yet"]
    refused = desk.post(f"{BOX}/sites", {"origin": "http://press.example/blog"}, of=BOX)
    assert refused.status_code == 422
    page = LexborHTMLParser(refused.text)
    assert "not encrypted" in page.css_first("#origin-error").text()
    assert page.css_first("#origin").attributes["value"] == "http://press.example/blog"
    for _ in range(2):
        desk.post(f"{BOX}/sites", {"origin": "Press.example/blog?x=1"})
    page = desk.page(f"{BOX}?done=registered")
    assert text(page, "h1") == ["The box may stand on one site"]
    assert text(page, "#main .items code") == ["https://press.example"]
    for _ in range(2):
        removed = desk.post(f"{BOX}/sites/remove", {"site": "https://press.example"})
        assert removed.headers["location"] == f"/desk{BOX}?done=removed"
    assert not desk.page(BOX).css("#main .items code")
    log = " ".join(desk.page("/audit-log").css_first(".ledger").text().split())
    assert "registered a site for The Morning Letter" in log
    assert log.count("https://press.example") == 2, "what changed nothing is not in it"


def test_title_and_text_are_said_by_the_box_in_the_language_they_are_written_for(service, desk):
    service.publish_words("morning", "Ich möchte den Brief.", "de")
    before = desk.page(f"{BOX}?language=de")
    assert before.css_first("#title").attributes["value"] == "The Morning Letter"
    path, words = f"{BOX}/texts/de", {"title": "Fünf Minuten <um> sieben", "text": ""}
    assert desk.post(path, words, of=BOX).headers["location"] == f"/desk{BOX}?language=de&done=said"
    refused = desk.post(path, {"title": "x" * 121, "text": "<b>"})
    assert (refused.status_code, "at most 120" in refused.text) == (422, True)
    assert LexborHTMLParser(refused.text).css_first("#text").text().strip() == "<b>"
    german, english = (desk.page(f"{BOX}?language={tag}").css_first("#title") for tag in ("de", "en"))
    assert german.attributes["value"] == words["title"]
    assert english.attributes["value"] == "The Morning Letter"
    service.let_the_site_read_newsletters_again()
    answer = service.browser.get("/n/morning/form?language=de", headers={"Accept": "application/json"}).json()
    assert answer["title"] == words["title"]
    assert "&lt;um&gt;" in answer["html"]
    assert "changed what the box of The Morning Letter says" in " ".join(desk.page("/audit-log").body.text().split())


def test_the_preview_is_the_real_box_and_sends_nothing(service, desk):
    page = desk.page(BOX)
    for frame in page.css("iframe"):
        answer = desk.get(unescape(frame.attributes["src"]).removeprefix("/desk"))
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        element = LexborHTMLParser(answer.text).css_first("newsletter-signup")
        assert element.attributes["newsletter"] == "morning"
    script = desk.get("/box-previews/embed.js")
    assert 'SERVICE = "/desk/box-previews"' in script.text
    shown = desk.get("/box-previews/n/morning/form?language=en").json()
    real = service.browser.get("/n/morning/form", headers={"Accept": "application/json"}).json()
    assert (shown["html"], shown["words"]) == (real["html"], real["words"])
    rows = service.rows()
    fields = {**shown["fields"], "email": "ana@example.org", "consent": "true"}
    assert "wording" not in fields
    sent = desk.browser.post("/desk/box-previews/subscribe", data=fields)
    assert (sent.status_code, sent.json()["message"]) == (202, "Nothing was sent, and nobody was signed up.")
    assert service.rows() == rows


def test_the_lines_and_the_form_to_paste_are_there_to_copy(service, desk):
    page = desk.page(BOX)
    inline, bar, dialog = (page.css_first(f"#lines-{look}").text() for look in ("inline", "bar", "dialog"))
    assert 'data-newsletter="morning" async' in inline
    assert 'data-look="bar"' in bar
    opener = LexborHTMLParser(dialog)
    assert f"#{opener.css_first('a').id}" == opener.css_first("script").attributes["data-opener"]
    assert not page.css("#pasted")
    assert desk.post(f"{BOX}/forms/en", of=BOX).headers["location"] == f"/desk{BOX}?language=en&done=generated"
    service.let_the_site_read_newsletters_again()
    pasted = LexborHTMLParser(desk.page(BOX).css_first("#pasted").text())
    fields = {each.attributes["name"]: each.attributes["value"] for each in pasted.css("input[type=hidden]")}
    answer = service.browser.post("/subscribe", data={**fields, "email": "ana@example.org", "consent": "true"})
    assert answer.status_code == 202
    assert desk.post(f"{BOX}/forms/fr").status_code == 404, "there are no words in French"
    service.publish_words("morning", "Send me the letter, please.", "en")
    assert not desk.page(BOX).css("#pasted"), "the former words are not offered any more"


def test_the_sign_ups_of_a_day_are_counted_by_the_hour_and_by_what_became_of_them(service, desk, sign_in):
    service.newsletter("evening")
    assert "Nobody signed up in the last 24 hours" in text(desk.page(BOX), "#day")
    service.sign_up("old@example.org")
    service.clock.advance(hours=25)
    service.reader("ana@example.org")
    service.sign_up("ben@example.org", "evening")
    service.clock.advance(hours=2)
    service.sign_up("cem@example.org")
    service.run(Queue.URGENT)
    page = sign_in(Role.VIEWER, "morning").page(BOX)
    assert text(page, "#day") == ["2 sign-ups in the last 24 hours, 1 of them confirmed"]
    assert text(page, "section[aria-labelledby=day] tbody td") == ["1", "1"]
    assert "1 of 2 with a letter" in page.body.text()
    assert "over all newsletters" not in page.body.text()
    everywhere = " ".join(sign_in(Role.VIEWER).page(BOX).body.text().split())
    assert "over all newsletters" in everywhere


def test_a_box_without_words_says_so_first_and_a_viewer_changes_nothing(service, sign_in, desk):
    page = desk.page(f"{BOX}?language=de")
    assert not page.css("iframe"), "there are no words in German"
    assert desk.get(f"{BOX}?language=not-a-language-at-all").status_code == 404
    viewer = sign_in(Role.VIEWER, "morning")
    assert not viewer.page(BOX).css("main form")
    assert viewer.post(f"{BOX}/sites", {"origin": "https://press.example"}).status_code == 403


@pytest.fixture
def both(service, desk, sign_in):
    service.newsletter("evening")
    return sign_in(Role.ADMIN)


def test_a_box_of_several_newsletters_is_chosen_published_titled_and_pasted_at_the_desk(service, both):
    chosen = both.get(f"{BOX}?also=evening", follow_redirects=False)
    several = "/newsletters/morning,evening/box"
    assert chosen.headers["location"] == f"/desk{several}"
    page = both.page(several)
    assert text(page, "h1") == ["The box needs words of consent first"]
    assert "to send the newsletters ticked above" in page.css_first("#main .read").text()
    assert both.post(f"{several}/words/en", of=several).headers["location"].endswith("done=published")
    both.post(f"{several}/sites", {"origin": "https://press.example"}, of=several)
    both.post(f"{several}/texts/en", {"title": "All our letters", "text": "Tick those you want."}, of=several)
    both.post(f"{several}/forms/en", of=several)
    previewed = both.get("/box-previews/n/morning,evening/form?language=en").json()
    assert previewed["title"] == "All our letters", "at once, not when the site reads the newsletters again"
    service.let_the_site_read_newsletters_again()
    page = both.page(several)
    assert text(page, "h1") == ["The box may stand on one site"]
    assert 'data-newsletter="morning evening" async' in page.css_first("#lines-inline").text()
    assert 'value="evening"' in page.css_first("#pasted").text()
    frame = unescape(page.css_first("iframe").attributes["src"]).removeprefix("/desk")
    shown = LexborHTMLParser(both.get(frame).text).css_first("newsletter-signup").attributes["newsletter"]
    assert shown == "morning evening"
    asks = {"Accept": "application/json", "Origin": "https://press.example"}
    real = service.browser.get("/n/morning,evening/form", headers=asks).json()
    assert real["title"] == "All our letters"
    assert previewed["html"] == real["html"]
    assert both.page(BOX).css_first("#title").attributes["value"] == "The Morning Letter", "its own box keeps its title"
    refused = both.post(f"{several}/texts/en", {"title": "", "text": "Tick."}, of=several)
    assert (refused.status_code, 'action="/desk/newsletters/morning,evening/box/texts/en"' in refused.text) == (
        422,
        True,
    )


def test_only_who_may_change_each_newsletter_changes_the_box_of_several(service, both, sign_in):
    several = "/newsletters/morning,evening/box"
    of_morning = sign_in(Role.ADMIN, "morning")
    assert not of_morning.page(BOX).css("[name=also]")
    assert of_morning.get(several).status_code == 404
    assert of_morning.post(f"{several}/texts/en", {"title": "Ours"}).status_code == 404
    assert both.get("/newsletters/morning,gone/box").status_code == 404
    assert both.get("/newsletters/morning,/box").status_code == 404
    viewer = sign_in(Role.VIEWER)
    assert not viewer.page(several).css("main form[method=post]")
    assert viewer.post(f"{several}/words/en").status_code == 403
    assert [each.attributes["value"] for each in both.page(BOX).css("[name=also]")] == ["evening"]


def test_newsletters_of_two_publishers_get_no_box_together_and_are_told_why(service, both):
    service.newsletter("noon", publisher="Other Press")
    together = "/newsletters/morning,noon/box"
    page = both.page(together)
    assert text(page, "h1") == ["One form cannot offer these newsletters"]
    assert "differ in publisher" in page.css_first(".lead").text()
    assert [each.attributes["href"] for each in page.css("#main .items a")] == [
        f"/desk/newsletters/{slug}/box" for slug in ("morning", "noon")
    ]
    assert not page.css("main form[method=post]"), "there is nothing to set up"
    assert "Newsletters of" not in page.body.text(), "they are not those of one publisher"
    refused = both.post(f"{together}/texts/en", {"title": "All", "text": ""}, of=BOX)
    assert (refused.status_code, "one form names one" in refused.text) == (422, True)
    assert both.post(f"{together}/forms/en", of=BOX).status_code == 404
