"""The box's form: what the script and programs read, and how a sign-up with it is proved."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import delete, select

from newsletter import newsletters, registered_sites
from newsletter.consent.counts import reader_counts
from newsletter.consent.counts.day_counts import DayCounts
from newsletter.consent.signups.signups import Signup
from newsletter.consent.wordings import box_texts, exhibits, rendered_forms, wording_publication, wordings
from newsletter.consent.wordings.exhibits import Exhibit
from newsletter.consent.wordings.forms import Form, FormKind
from newsletter.consent.wordings.wordings import Shown
from tests.web.public.box.conftest import SITE, register
from tests.whole_service import WholeService

FROM_SITE = {"Origin": SITE, "Accept": "application/json"}
PAGE = f"{SITE}/2026/bridge"


def form_of(service: WholeService, path: str = "/n/morning/form", **headers: str) -> dict[str, Any]:
    answer = service.browser.get(path, headers={**FROM_SITE, **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(service: WholeService, form: dict[str, Any], **fields: str) -> Any:
    data = {**form["fields"], "email": "ana@example.org", "consent": "true", **fields}
    return service.browser.post("/subscribe", data=data, headers=FROM_SITE)


def count(service: WholeService, readers: int) -> None:
    with service.site.database.writing() as session:
        session.execute(delete(DayCounts))
        today = {"day": service.clock().date(), "joined": 0, "left": 0, "counted_at": service.clock()}
        session.add_all(
            DayCounts(newsletter_id=each.id, readers=readers, **today) for each in newsletters.every(session)
        )
    service.let_the_site_read_newsletters_again()


def say(service: WholeService, title: str) -> None:
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        by = {"actor": "tests", "now": service.clock()}
        box_texts.change(session, service.site.templates, [newsletter], language="en", title=title, **by)
    service.let_the_site_read_newsletters_again()


def test_a_sign_up_from_the_box_proves_what_the_box_showed(service):
    form = form_of(service)
    assert post(service, form, page=f"{PAGE}?utm_source=x#comments").status_code == 202
    with service.site.database.reading() as session:
        signup = session.scalars(select(Signup)).one()
        shown = session.get_one(Exhibit, signup.form).body
        kept = session.get_one(Form, signup.form_id)
    assert shown.decode() == form["html"]
    assert hashlib.sha256(shown).hexdigest() == form["form"]["exhibit"] == kept.exhibit
    assert kept.kind is FormKind.BOX
    words = LexborHTMLParser(form["html"]).text()
    assert all(text in words for text in ("The Morning Letter", "What happened overnight.", form["wording"]["text"]))
    evidence = signup.evidence
    assert evidence["form_kind"] == "box on the publisher's page"
    assert (evidence["page"], evidence["page_stated_by"], evidence["site"]) == (PAGE, "the browser", SITE)


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)", "http://[", "<script>", "https://", "https://a/\0", "https://a/\u202e", ""]
)
def test_what_is_no_page_of_the_web_is_no_evidence(service, page):
    assert post(service, form_of(service), page=page).status_code == 202
    with service.site.database.reading() as session:
        evidence = session.scalars(select(Signup)).one().evidence
    assert "page_stated_by" not in evidence
    assert page == "" or page not in evidence.values()


def test_evidence_says_that_it_holds_only_the_beginning_of_a_very_long_address_or_browser(service):
    service.browser.headers["user-agent"] = "B" * 400
    assert post(service, form_of(service), page=f"{SITE}/{'p' * 600}").status_code == 202
    with service.site.database.reading() as session:
        signup = session.scalars(select(Signup)).one()
        page, browser = signup.evidence["page"], signup.evidence["user_agent"]
    assert page.startswith(f"{SITE}/pppp")
    assert (len(page), page[-1], browser) == (501, "…", "B" * 300 + "…")


def test_the_box_is_told_what_happens_next_and_which_field_is_wrong(service):
    form = form_of(service)
    sent, wrong = post(service, form), post(service, form, email="ana", consent="")
    assert sent.json().keys() == {"title", "message", "hint", "replaces"}
    assert "letters@press.example" in sent.json()["message"]
    assert "If you already get this newsletter" in sent.json()["hint"]
    assert "<b>" not in sent.text
    assert wrong.status_code == 422
    assert wrong.json()["errors"].keys() == {"email", "consent"}
    assert sent.headers["Access-Control-Allow-Origin"] == wrong.headers["Access-Control-Allow-Origin"] == SITE


def test_the_box_is_told_the_truth_about_another_letter_and_a_corrected_address(service):
    form = form_of(service)
    first = post(service, form, email="a&lt@example.org").json()
    again = post(service, form, email="a&lt@example.org", replaces=first["replaces"]).json()
    corrected = post(service, form, email="a&t@example.org", replaces=again["replaces"]).json()
    assert again["message"].startswith("If the last letter to a&lt@example.org left more than 10 minutes ago")
    assert corrected["message"].startswith("We are sending a letter to a&t@example.org now.")
    assert "the address that you entered before can no longer be confirmed" in corrected["message"]


def test_a_form_that_names_another_exhibit_is_refused(service):
    assert post(service, form_of(service), exhibit="0" * 64).json()["errors"].keys() == {"form"}


def test_a_changed_title_is_a_new_form_and_the_old_one_still_counts(service):
    first = form_of(service)
    say(service, "Five minutes at seven")
    second = form_of(service)
    say(service, "The Morning Letter")
    assert "<h2>Five minutes at seven</h2>" in second["html"]
    assert second["form"] != first["form"] == form_of(service)["form"]
    assert second["wording"] == first["wording"], "the words of consent are the same"
    assert {post(service, form).status_code for form in (first, second)} == {202}


def test_readers_are_told_rounded_down_outside_of_the_exhibit(service):
    shown = {}
    for readers in (99, 100, 12_345):
        count(service, readers)
        form = form_of(service)
        shown[readers] = form["readers"], form["words"].get("count")
        assert "Join" not in form["html"]
    assert shown == {99: (None, None), 100: ("100+", "Join 100+ readers"), 12_345: ("10k+", "Join 10k+ readers")}


@given(st.integers(100, 10**9))
def test_a_rounded_number_of_readers_is_true_and_more_than_two_fifths(readers):
    rounded = reader_counts.rounded_down(readers)
    assert rounded is not None
    assert rounded <= readers < 2.5 * rounded
    assert str(rounded).rstrip("0") in ("1", "2", "5")


def test_the_box_speaks_the_language_of_the_page_if_words_are_published_in_it(service):
    service.newsletter("evening", language="de", other_languages=["ar"])
    service.publish_words("evening", "أرجو إرسال هذه النشرة.", "ar")
    register(service, "evening")
    arabic = form_of(service, "/n/evening/form?language=ar")
    german = form_of(service, "/n/evening/form?language=sv", **{"Accept-Language": "fr, de-AT"})
    assert (arabic["language"], arabic["direction"], german["language"]) == ("ar", "rtl", "de")
    assert arabic["languages"] == ["de", "ar"]
    assert arabic["page"].endswith("/n/evening?language=ar")
    assert arabic["words"]["sending"] != german["words"]["sending"]


def test_a_box_offers_several_newsletters(service):
    service.newsletter("evening")
    register(service, "evening")
    with service.site.database.writing() as session:
        offered = newsletters.every(session)
        by = {"language": "en", "actor": "tests", "now": service.clock()}
        wording_publication.publish_several(session, service.site.templates, offered, **by)
    service.let_the_site_read_newsletters_again()
    form = form_of(service, "/n/evening,morning/form")
    assert "newsletters" not in form["fields"], "the visitor ticks them"
    assert {box.attributes["value"] for box in LexborHTMLParser(form["html"]).css("[name=newsletters]")} == {
        "morning",
        "evening",
    }
    assert post(service, form, newsletters="evening").status_code == 202
    assert post(service, form).json()["errors"].keys() == {"newsletters"}


def test_the_console_of_a_page_learns_that_no_box_offers_newsletters_of_two_publishers(service):
    service.newsletter("noon", publisher="Other Press")
    refused = service.browser.get("/n/morning,noon/form", headers=FROM_SITE)
    register(service, "noon")
    without_words = service.browser.get("/n/morning,noon/form", headers=FROM_SITE)
    assert (refused.status_code, without_words.status_code) == (403, 404)
    for told in (refused.json()["error"], without_words.json()["errors"]["wording"]):
        assert told.startswith("No box can offer morning, noon together. They differ in publisher")


def test_no_newsletter_that_an_address_names_is_left_out(service):
    many = [f"letter-{number}" for number in range(30)]
    by = {"publisher": "Example Press", "sender": "letters@press.example", "postal_address": "Oak Street 1, Exampleton"}
    with service.site.database.writing() as session:
        offered = [
            newsletters.add(session, slug=slug, name=slug, **by, actor="tests", now=service.clock()) for slug in many
        ]
        for newsletter in offered:
            registered_sites.register(session, newsletter, SITE, actor="tests", now=service.clock())
        wording_publication.publish_several(
            session, service.site.templates, offered, language="en", actor="tests", now=service.clock()
        )
    service.let_the_site_read_newsletters_again()
    assert form_of(service, f"/n/{','.join(many)}/form")["newsletter"] == ",".join(many)
    gone = f"/n/{','.join([*many, 'gone'])}/form"
    refused = service.browser.get(gone, headers=FROM_SITE)
    assert (refused.status_code, refused.json()["errors"]["newsletter"]) == (
        404,
        "There is no newsletter “gone” here.",
    )
    asks = {**FROM_SITE, "Access-Control-Request-Method": "GET"}
    assert service.browser.options(f"/n/{','.join(many)}/form", headers=asks).status_code == 204
    assert service.browser.options(gone, headers=asks).status_code == 404


def test_a_box_of_several_newsletters_stays_when_a_form_of_others_is_published(service):
    for slug in ("evening", "noon"):
        service.newsletter(slug)
        register(service, slug)
    by = {"language": "en", "actor": "tests", "now": service.clock()}
    pages = service.site.templates

    def publish(*slugs: str) -> None:
        with service.site.database.writing() as session:
            offered = [newsletters.named(session, slug) for slug in slugs]
            wording_publication.publish_several(session, pages, offered, **by)
        service.let_the_site_read_newsletters_again()

    publish("morning", "evening")
    before = form_of(service, "/n/morning,evening/form")["form"]
    publish("morning", "noon")
    with service.site.database.writing() as session:
        wording_publication.publish_current(session, pages, actor="tests", now=service.clock())
    service.let_the_site_read_newsletters_again()
    assert form_of(service, "/n/morning,evening/form")["form"] == before
    assert form_of(service, "/n/morning,noon/form")["form"] != before
    assert 'value="noon"' in service.browser.get("/").text
    publish("morning", "evening")
    assert 'value="noon"' not in service.browser.get("/").text, "the start page shows what was published last"


def test_only_a_registered_site_reads_the_form_and_another_is_told_why(service):
    registered = service.browser.get("/n/morning/form", headers=FROM_SITE)
    other = service.browser.get("/n/morning/form", headers={**FROM_SITE, "Origin": "https://other.example"})
    program = service.browser.get("/n/morning/form")
    assert registered.headers["Access-Control-Allow-Origin"] == SITE
    assert {"Origin", "Accept", "Accept-Language"} <= {each.strip() for each in registered.headers["Vary"].split(",")}
    assert registered.headers["Cache-Control"] == "public, max-age=60"
    assert program.json() == registered.json()
    assert "Access-Control-Allow-Origin" not in program.headers
    assert other.status_code == 403
    assert "newsletter sites add morning https://other.example" in other.json()["error"]
    assert other.json()["page"] == "http://localhost/n/morning"
    assert other.headers["Access-Control-Allow-Origin"] == "*"
    hostile = service.browser.get("/n/morning/form", headers={**FROM_SITE, "Origin": "https://a;reboot"})
    assert hostile.json()["error"] == "“https://a;reboot” is not the origin of a site, so its page shows no box."


@pytest.mark.parametrize("path", ["/n/gone/form", "/n/morning,gone/form", "/n/morning,silent/form"])
def test_a_box_that_cannot_be_shown_is_told_why(service, path):
    service.newsletter("silent", language="fi")
    register(service, "silent")
    answer = service.browser.get(path, headers=FROM_SITE)
    assert answer.status_code == 404
    (told,) = answer.json()["errors"].values()
    assert "“gone”" in told or "newsletter forms publish morning silent" in told
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", SITE)


def test_a_browser_that_asks_for_a_page_is_led_to_the_hosted_form(service):
    path = "/n/morning/form?language=de"
    answer = service.browser.get(path, headers={"Accept": "text/html,*/*"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/n/morning?language=en")


def test_an_upgrade_keeps_a_form_of_the_box_for_words_that_are_published_already(service):
    render = service.site.templates
    by = {"actor": "tests", "now": service.clock()}
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        information = wordings.current(session, newsletter.id, "en").information
        shown = Shown("en", "Please send it to me.", information)
        hosted = rendered_forms.exhibit(render, shown, [newsletter]).encode()
        confirm = rendered_forms.confirm_words(render, language="en", text=shown.text).encode()
        of_release_before = wordings.publish(session, newsletter, shown, form=hosted, confirm=confirm, **by)
        assert box_texts.current_form(session, render, of_release_before, [newsletter]) is None
        wording_publication.publish_current(session, render, **by)
        form, html = box_texts.current_form(session, render, of_release_before, [newsletter])
        assert exhibits.sha256(html.encode()) == form.exhibit
        assert "Please send it to me." in html
