"""The page after a sign-up: it shows what was entered, and lets a visitor mend it."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.queues.wakeups import Queue
from tests.whole_service import WholeService

SUGGESTED, AGAIN = ".notice button", "button.quiet[name=email]"
HOSTILE = '"><script>alert(1)</script>'


def fields_of(answer, control: str) -> dict[str, str]:
    """Return what the page's first form with this control posts, without its buttons."""
    form = next(form for form in LexborHTMLParser(answer.text).css("form") if form.css(control))
    return {str(each.attributes["name"]): each.attributes.get("value") or "" for each in form.css("input[name]")}


def corrected(site: WholeService, answer, email: str):
    """Fill in the address field of the page, and send it."""
    return site.browser.post("/subscribe", data=fields_of(answer, "#email") | {"email": email})


def press(site: WholeService, answer, button: str):
    """Press a button of the page that has an address of its own."""
    found = LexborHTMLParser(answer.text).css_first(button)
    return site.browser.post("/subscribe", data=fields_of(answer, button) | {"email": found.attributes["value"]})


def written_to(site: WholeService) -> list[str]:
    site.run(Queue.URGENT)
    return [letter["To"] for letter in site.letters()]


def evidence(site: WholeService) -> list[dict[str, str]]:
    with site.site.database.reading() as session:
        return [each.evidence for each in session.query(Signup).order_by(Signup.id)]


def test_the_page_shows_the_address_and_where_its_letters_are_read(site):
    page = LexborHTMLParser(site.sign_up("ana@gmail.com").text)
    assert "ana@gmail.com" in page.css_first(".lead").text()
    (button,) = page.css("a.button")
    assert (button.text(), button.attributes["href"]) == ("Open Gmail", "https://mail.google.com/")
    assert button.attributes["rel"] == "noreferrer"
    assert not LexborHTMLParser(site.sign_up("ana@example.org").text).css("a.button")


def test_what_was_entered_is_shown_as_text_alone(site):
    answer = site.sign_up("o'ana&co@example.org", name=HOSTILE, language="en", timezone="Europe/Berlin")
    assert answer.status_code == 202
    assert "<script" not in answer.text
    assert fields_of(answer, "#email")["name"] == HOSTILE
    assert fields_of(answer, "#email")["email"] == "o'ana&co@example.org"


def test_one_press_corrects_the_domain_and_the_wrong_letter_never_leaves(site):
    answer = site.sign_up("ana@gmial.com", name="Ana", timezone="Europe/Berlin")
    assert "Did you mean ana@gmail.com?" in LexborHTMLParser(answer.text).css_first("[role=status]").text()
    answer = press(site, answer, SUGGESTED)
    assert "ana@gmail.com" in LexborHTMLParser(answer.text).css_first(".lead").text()
    assert written_to(site) == ["ana@gmail.com"]
    (kept,) = evidence(site)
    assert (kept["name"], kept["timezone"]) == ("Ana", "Europe/Berlin")
    assert kept["method"] == "form on the web, sent again from the page after it with a corrected address"


def test_the_letter_to_a_mistyped_address_confirms_nothing_once_it_is_corrected(site):
    answer = site.sign_up("anna@example.org")
    assert written_to(site) == ["anna@example.org"]
    (letter,) = site.letters()
    answer = corrected(site, answer, "no address")
    assert answer.status_code == 422
    answer = site.browser.post(
        "/subscribe",
        data=fields_of(answer, "#email") | {"email": "ana@example.org", "consent": "true"},
    )
    assert "can no longer be confirmed" in answer.text
    assert written_to(site) == ["anna@example.org", "ana@example.org"]
    link = site.link(letter, "confirm")
    for page in (site.browser.get(link), site.browser.post(link, data={"confirm": "yes"})):
        assert page.status_code == 410
        assert "This address is not subscribed" in page.text
    assert site.browser.post(site.link(letter, "never"), data={"never": "yes"}).status_code == 200


def test_another_letter_is_sent_after_ten_minutes_and_not_before(site):
    answer = site.sign_up("ana@example.org")
    assert written_to(site) == ["ana@example.org"]
    early = press(site, answer, AGAIN)
    assert "If the last letter to ana@example.org left more than 10 minutes ago" in (
        LexborHTMLParser(early.text).css_first(".lead").text()
    )
    assert written_to(site) == ["ana@example.org"]
    site.clock.advance(minutes=10)
    press(site, early, AGAIN)
    assert written_to(site) == ["ana@example.org"] * 2
    link = site.link(site.letters()[0], "confirm")
    assert site.browser.post(link, data={"confirm": "yes"}).status_code == 200, "the first letter still works"


def test_a_form_sent_twice_stores_two_rows_owes_one_letter_and_is_corrected_as_one(site):
    site.sign_up("anna@example.org")
    answer = site.sign_up("anna@example.org")
    assert written_to(site) == ["anna@example.org"]
    (letter,) = site.letters()
    corrected(site, answer, "ana@example.org")
    site.run(Queue.URGENT)
    assert site.browser.get(site.link(letter, "confirm")).status_code == 410


def test_a_name_that_this_site_did_not_give_replaces_nothing(site):
    site.sign_up("ana@example.org")
    for forged in ("k1.AAAA", "x" * 5000, HOSTILE):
        assert site.sign_up("bob@example.org", replaces=forged).status_code == 202
    assert written_to(site) == ["ana@example.org", "bob@example.org"]
    with site.site.database.reading() as session:
        assert [each.replaces for each in session.query(Signup)] == [None] * 4


def test_a_program_learns_of_a_doubtful_domain_and_how_to_correct_it(site):
    body = {**site.form(), "email": "ana@gmail.con", "consent": True}
    answer = site.browser.post("/subscribe", json=body).json()
    assert answer.keys() == {"message", "suggestion", "replaces"}
    assert answer["suggestion"] == "ana@gmail.com"
    again = site.browser.post("/subscribe", json=body | {"email": "ana@gmail.com", "replaces": answer["replaces"]})
    assert again.json().keys() == {"message"}
    assert written_to(site) == ["ana@gmail.com"]


def test_a_form_left_open_overnight_counts_in_its_own_version(site):
    """Words were published meanwhile: the evidence names those that the visitor saw, also for another letter."""
    old = site.form()
    site.publish_words("morning", "Other words, same meaning.", "en")
    site.clock.advance(hours=12)
    answer = site.browser.post("/subscribe", data=old | {"email": "ana@example.org"})
    assert answer.status_code == 202
    site.clock.advance(minutes=10)
    assert press(site, answer, AGAIN).status_code == 202
    with site.site.database.reading() as session:
        assert {(each.wording_id, each.form) for each in session.query(Signup)} == {(int(old["wording"]), old["form"])}


def without_part(link: str) -> str:
    """Return the link to confirm as the release before wrote it: without the part that it can be renewed by."""
    return link.rpartition(".")[0]


def test_the_link_of_a_letter_is_renewed_by_one_press_while_its_address_is_stored(site):
    site.sign_up("ana@example.org", name="Ana")
    assert written_to(site) == ["ana@example.org"]
    link = without_part(site.link(site.letters()[0], "confirm"))
    site.clock.advance(hours=72)
    page = site.browser.get(link)
    assert 'name="again"' in page.text
    posted = fields_of(page, "button[name=again]") | {"again": "yes"}
    answers = [site.browser.post(link, data=posted) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert not [each for each in (page, *answers) if "ana@" in each.text or "a•••@" in each.text]
    assert written_to(site) == ["ana@example.org"] * 2
    newest = site.link(site.letters()[-1], "confirm")
    assert site.browser.post(newest, data={"confirm": "yes"}).status_code == 200
    assert evidence(site)[1]["method"] == "button on the page of an expired link"
    assert "name" in evidence(site)[1]


@pytest.mark.parametrize("state", ["confirmed", "refused", "forgotten"])
def test_a_link_whose_sign_up_was_decided_or_forgotten_is_not_renewed(site, state):
    site.sign_up("ana@example.org")
    written_to(site)
    (letter,) = site.letters()
    link = without_part(site.link(letter, "confirm"))
    if state == "confirmed":
        site.browser.post(link, data={"confirm": "yes"})
    if state == "refused":
        site.browser.post(site.link(letter, "never"), data={"never": "yes"})
    site.clock.advance(hours=72)
    if state == "forgotten":
        site.run()
    answer = site.browser.post(link, data={"again": "yes"})
    assert answer.status_code == (200 if state == "confirmed" else 410)
    assert 'name="again"' not in answer.text
    assert written_to(site) == ["ana@example.org"]
    if state == "forgotten":
        assert 'href="/n/morning"' in answer.text, "where the address can be entered again"


@pytest.mark.parametrize("slugs", [["morning"], ["morning", "evening"]])
def test_the_page_of_a_link_whose_address_was_deleted_leads_to_a_form_that_works(site, slugs):
    for slug in slugs[1:]:
        site.newsletter(slug)
    site.sign_up("ana@example.org")
    written_to(site)
    link = without_part(site.link(site.letters()[0], "confirm"))
    site.clock.advance(hours=72)
    assert 'name="again"' in site.browser.get(link).text, "until a worker deletes the address, seconds later"
    site.run()
    page = site.browser.get(link)
    assert page.status_code == 410
    assert "enter your address again" in page.text
    way = LexborHTMLParser(page.text).css_first("a.button").attributes["href"]
    while not (form := LexborHTMLParser(site.browser.get(way).text)).css("form[action='/subscribe']"):
        way = form.css_first("main a[href='/n/morning']").attributes["href"]
    assert site.sign_up("ana@example.org").status_code == 202
    written_to(site)
    newest = site.link(site.letters()[-1], "confirm")
    assert site.browser.post(newest, data={"confirm": "yes"}).status_code == 200


def test_who_has_only_a_part_of_a_link_pastes_all_of_it(site):
    site.sign_up("ana@example.org")
    written_to(site)
    link = site.link(site.letters()[0], "confirm")
    assert 'action="/link"' in site.browser.get(without_part(link)[:-8]).text
    whole = f"http://localhost{link}"
    forwarded = "https://links.example/?u=" + whole.replace(":", "%3A").replace("/", "%2F") + "&x=1"
    for pasted in (
        *[whole, f"<{whole}>", f"  {whole[:30]}\r\n {whole[30:]} ", f"{whole[:40]}=\n{whole[40:]}", f"Open: {whole}."],
        *[forwarded, link, f"https://elsewhere.example{link}", f"{'A long letter. ' * 3000}{whole}"],
    ):
        answer = site.browser.post("/link", data={"link": pasted}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, link), pasted
    for pasted in (
        "",
        "https://elsewhere.example/",
        without_part(whole)[:-3],
        "//elsewhere.example/confirm/x",
        "/desk/link/k1.x",
        HOSTILE,
    ):
        answer = site.browser.post("/link", data={"link": pasted}, follow_redirects=False)
        assert answer.status_code == 422, pasted
        assert not re.search("<script|elsewhere", answer.text)


def test_who_pastes_more_of_a_letter_than_its_link_gets_the_whole_link(site):
    site.sign_up("ana@example.org")
    written_to(site)
    text = site.letters()[0].get_body(("plain",)).get_content()
    confirm, never = (site.link(site.letters()[0], path) for path in ("confirm", "never"))
    whole, end = f"http://localhost{confirm}", f"http://localhost{never}"
    cut = len(without_part(whole))
    for pasted, link in (
        *[(text, confirm), (text[text.index(whole) :], confirm), (f"{whole}\n\nThe link works until", confirm)],
        *[(f"{whole[:cut]}\n{whole[cut:]}\nThe link", confirm), (f"{whole[:50]}\n> {whole[50:]}\n> Or", confirm)],
        *[(f"{end}\nThe letters", never), (f"{end[:-9]}=\n{end[-9:]} The letters", never)],
    ):
        answer = site.browser.post("/link", data={"link": pasted}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("location")) == (303, link), pasted


def test_states_of_corrected_sign_ups_are_known_to_the_release_before(site):
    answer = site.sign_up("anna@example.org")
    written_to(site)
    corrected(site, answer, "ana@example.org")
    site.run(Queue.URGENT)
    with site.site.database.reading() as session:
        assert [each.state for each in session.query(Signup)] == [SignupState.REFUSED, SignupState.ASKED]
