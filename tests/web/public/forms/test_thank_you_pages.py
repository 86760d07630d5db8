"""Thank-you pages of the publisher's own: where visitors are led to is registered, never asked for."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter import newsletters
from newsletter.consent.wordings import wording_publication
from newsletter.queues.wakeups import Queue
from tests.clock import NOON
from tests.whole_service import WholeService, whole_service

ANA, BEN = "ana@example.org", "ben@example.org"
ALMOST = "https://www.press.example/almost-done"
WELCOME = "https://welcome.press.example/?from=letters"


@pytest.fixture
def service(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter(signup_thanks_url=ALMOST, confirmed_thanks_url=WELCOME)
        yield service


def form_action(service: WholeService, path: str) -> set[str]:
    policy = service.browser.get(path).headers["content-security-policy"]
    (sources,) = [part.split()[1:] for part in policy.split("; ") if part.startswith("form-action ")]
    return set(sources)


def letters_link(service: WholeService, email: str) -> str:
    service.run(Queue.URGENT)
    return service.link(service.letters(to=email)[-1], "confirm")


def test_visitors_are_led_to_the_pages_that_the_newsletter_names(service):
    signed_up = service.browser.post("/subscribe", data={**service.form(), "email": ANA}, follow_redirects=False)
    assert (signed_up.status_code, signed_up.headers["location"]) == (303, ALMOST)
    link = letters_link(service, ANA)
    unsure = service.browser.post(link, follow_redirects=False)
    assert unsure.status_code == 422, "without the button's field nothing is confirmed"
    confirmed = service.browser.post(link, data={"confirm": "yes"}, follow_redirects=False)
    assert (confirmed.status_code, confirmed.headers["location"]) == (303, WELCOME)
    again = service.browser.post(link, data={"confirm": "yes"}, follow_redirects=False)
    assert again.status_code == 200, "who has confirmed already is told so"


def test_the_way_is_the_same_for_everybody_and_tells_nothing_about_them(service):
    service.browser.post("/subscribe", data={**service.form(), "email": ANA}, follow_redirects=False)
    service.browser.post(letters_link(service, ANA), data={"confirm": "yes"}, follow_redirects=False)
    form = service.form()
    for as_json in (False, True):
        answers = [
            service.browser.post(
                "/subscribe",
                data={**form, "email": email},
                headers={"accept": "application/json" if as_json else "text/html"},
                follow_redirects=False,
            )
            for email in (ANA, BEN)
        ]
        known, unknown = ((each.status_code, each.text, sorted(each.headers.items())) for each in answers)
        assert known == unknown
    assert answers[0].json()["next"] == ALMOST


def test_nothing_in_a_request_says_where_it_leads(service):
    evil = "https://evil.example/"
    form = {**service.form(), "email": ANA}
    for name in ("next", "redirect", "return_to", "url", "thanks", "signup_thanks_url", "page", "site", "back"):
        form[name] = evil
    answer = service.browser.post(
        f"/subscribe?next={evil}&redirect={evil}",
        data=form,
        headers={"referer": evil, "host": "evil.example", "x-forwarded-host": "evil.example", "origin": "null"},
        follow_redirects=False,
    )
    assert answer.headers["location"] == ALMOST
    link = letters_link(service, ANA)
    confirmed = service.browser.post(
        f"{link}?next={evil}", data={"confirm": "yes", "next": evil}, headers={"referer": evil}, follow_redirects=False
    )
    assert confirmed.headers["location"] == WELCOME


def test_several_newsletters_lead_where_all_of_them_do(service):
    service.newsletter("evening", signup_thanks_url=ALMOST)
    with service.site.database.writing() as session:
        both, by = newsletters.every(session), {"actor": "tests", "now": NOON}
        wording_publication.publish_several(session, service.site.templates, both, language="en", **by)
    service.let_the_site_read_newsletters_again()
    fields = LexborHTMLParser(service.browser.get("/").text).css("form input[type=hidden]")
    form = {str(field.attributes["name"]): field.attributes["value"] for field in fields} | {"consent": "true"}

    def answer(email: str, *chosen: str):
        sent = {**form, "email": email, "newsletters": [*chosen]}
        return service.browser.post("/subscribe", data=sent, follow_redirects=False)

    assert answer(ANA, "morning", "evening").headers["location"] == ALMOST
    confirmed = service.browser.post(letters_link(service, ANA), data={"confirm": "yes"}, follow_redirects=False)
    assert confirmed.status_code == 200, "one newsletter has no page of its own for it"
    with service.site.database.writing() as session:
        newsletters.change(session, newsletters.named(session, "evening"), signup_thanks_url="", **by)
    service.let_the_site_read_newsletters_again()
    assert answer(BEN, "morning", "evening").status_code == 202
    assert answer(BEN, "morning").headers["location"] == ALMOST


def test_only_pages_with_a_form_that_leads_there_allow_it(service):
    """Chromium holds the redirect of a form to form-action, too."""
    both = {"'self'", "https://www.press.example", "https://welcome.press.example"}
    service.newsletter("evening")
    service.sign_up(ANA)
    link = letters_link(service, ANA)
    for path in ("/", "/n/morning", "/archive/morning", link):
        assert form_action(service, path) == both, path
    for path in ("/n/evening", "/archive", "/archive/evening", "/health/live", "/desk/sign-in"):
        assert form_action(service, path) == {"'self'"}, path
