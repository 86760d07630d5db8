"""Sign-ups from other sites: registered ones may post and read the answer, others are led to the hosted page."""

import json
import logging

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import newsletters, registered_sites
from newsletter.consent.signups.signups import Signup
from newsletter.errors import Malformed, NotFound
from newsletter.queues.wakeups import Queue
from tests.clock import NOON
from tests.statements import executed
from tests.web.public.answers import without
from tests.whole_service import WholeService, whole_service

ANA = "ana@example.org"
SITE = "https://www.press.example"
FOREIGN = "https://other.example"
CORS = "access-control-"


@pytest.fixture
def service(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        service.newsletter("evening")
        register(service, "morning", SITE)
        yield service


def register(service: WholeService, slug: str, origin: str) -> None:
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, slug)
        registered_sites.register(session, newsletter, origin, actor="tests", now=NOON)
    service.let_the_site_read_newsletters_again()


def post(service: WholeService, origin: str | None, *, slug: str = "morning", email: str = ANA, **headers: str):
    sent = {"origin": origin, **headers} if origin is not None else headers
    return service.browser.post("/subscribe", data={**service.form(slug), "email": email}, headers=sent)


ADMITTED = [
    (None, "not stated"),
    ("", "not stated"),
    ("null", "not stated"),
    ("file://", "not stated"),
    ("http://localhost", "our own"),
    ("http://LOCALHOST:80", "our own"),
    ("https://localhost", "our own"),  # behind a proxy that ends TLS
    (SITE, SITE),
    ("HTTPS://WWW.Press.EXAMPLE", SITE),
    (f"{SITE}:443", SITE),
    (f"{SITE}.", SITE),
    ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
]
REFUSED = [
    FOREIGN,
    "http://www.press.example",
    "https://press.example",
    "https://www.press.example:8443",
    "https://ana@www.press.example",
    "https://www.press.example@other.example",
    "https://www.press.example.other.example",
    f"{SITE}/",
    f"{SITE} {SITE}",
    f"{SITE}, {FOREIGN}",
    "NULL",
    "*",
    "file:///home/ana/page.html",
    "chrome-extension://abcdefghijklmnop",
    "http://localhost:8000",
]


def test_a_sign_up_from_our_own_pages_or_a_registered_site_says_where_it_comes_from(service):
    register(service, "morning", "https://Bücher.example/lesen")
    for number, (origin, site) in enumerate(ADMITTED):
        email = f"{number}@example.org"
        answer = post(service, origin, email=email)
        assert answer.status_code == 202, origin
        assert "Origin" in answer.headers["vary"]
        is_registered = site.startswith("https:")
        assert answer.headers.get("access-control-allow-origin") == (origin if is_registered else None), origin
        assert "access-control-allow-credentials" not in answer.headers
        with service.site.database.reading() as session:
            kept = session.scalars(select(Signup).where(Signup.address == email)).one()
            assert kept.evidence["site"] == site, origin


def test_the_letter_names_the_site_on_which_the_address_was_entered(service):
    for number, origin in enumerate((SITE, "http://localhost", None)):
        post(service, origin, email=f"reader{number}@example.org")
    service.run(Queue.URGENT)
    ours = "localhost/n/morning"
    said = {str(letter["To"]): letter.as_string() for letter in service.letters()}
    for number, place in enumerate(("www.press.example", ours, ours)):
        assert f"entered this address on {place} and asked for" in said[f"reader{number}@example.org"]


def test_a_sign_up_from_any_other_site_is_refused_and_writes_nothing(service):
    before = service.rows()
    for origin in REFUSED:
        answer = post(service, origin, accept="application/json")
        assert answer.status_code == 403, origin
        assert answer.json().keys() == {"error", "page"}
        assert answer.json()["page"] == "http://localhost/n/morning?language=en"
        assert "Origin" in answer.headers["vary"]
        assert not [name for name in answer.headers if name.startswith(CORS)]
    assert service.rows() == before


def test_two_origins_are_no_site(service):
    form = {**service.form(), "email": ANA}
    headers = [("origin", SITE), ("origin", SITE), ("accept", "application/json")]
    assert service.browser.post("/subscribe", data=form, headers=headers).status_code == 403


def test_a_refused_visitor_is_told_where_to_sign_up_in_their_language(service, caplog):
    caplog.set_level(logging.DEBUG)
    service.publish_words("morning", "Ich willige ein.", "de")
    with service.site.database.writing() as session:
        newsletters.change(
            session, newsletters.named(session, "morning"), other_languages=["de"], actor="tests", now=NOON
        )
    service.let_the_site_read_newsletters_again()
    form = {**service.form(), "email": ANA, "language": "de"}
    with executed(service.site.database) as statements:
        answer = service.browser.post("/subscribe", data=form, headers={"origin": FOREIGN, "accept": "text/html"})
    assert (answer.status_code, answer.headers["content-language"], statements) == (403, "de", [])
    page = LexborHTMLParser(answer.text)
    assert page.css_first("main a").attributes["href"] == "/n/morning?language=de"
    assert without(ANA, answer) == answer.text
    assert ANA not in caplog.text


def test_the_answer_is_refused_alike_for_known_and_unknown_addresses(service):
    service.reader(ANA)
    form = service.form()
    answers = [
        service.browser.post("/subscribe", data={**form, "email": email}, headers={"origin": FOREIGN})
        for email in (ANA, "new@example.org", "not an address")
    ]
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1


def test_a_site_is_registered_for_each_newsletter_that_its_visitors_choose(service):
    assert post(service, SITE, slug="evening").status_code == 403
    form = {**service.form(), "email": ANA, "newsletters": ["morning", "evening"]}
    assert service.browser.post("/subscribe", data=form, headers={"origin": SITE}).status_code == 403
    register(service, "evening", SITE)
    assert post(service, SITE, slug="evening").status_code == 202


def test_a_removed_site_is_refused(service):
    with service.site.database.writing() as session:
        morning = newsletters.named(session, "morning")
        registered_sites.remove(session, morning, f"{SITE}/about", actor="tests", now=NOON)
        with pytest.raises(NotFound):
            registered_sites.remove(session, morning, SITE, actor="tests", now=NOON)
        with pytest.raises(Malformed):
            registered_sites.register(session, morning, "http://www.press.example", actor="tests", now=NOON)
    service.let_the_site_read_newsletters_again()
    assert post(service, SITE).status_code == 403


def test_our_own_pages_work_under_each_host_that_leads_to_them(service):
    """Somebody tries the service in the local network; BASE_URL says something else."""
    for host, origin, status in (
        ("192.0.2.7:8000", "http://192.0.2.7:8000", 202),
        ("letters.example", "https://letters.example", 202),
        ("letters.example:443", "https://letters.example", 202),
        ("other.example", SITE, 202),
        ("other.example", "http://localhost", 202),
        ("letters.example", FOREIGN, 403),
        ("letters.example@other.example", FOREIGN, 403),
    ):
        assert post(service, origin, host=host).status_code == status, (host, origin)
    assert post(service, FOREIGN, host="other.example", email="led@example.org").status_code == 202
    with service.site.database.reading() as session:
        led = session.scalars(select(Signup).where(Signup.address == "led@example.org")).one()
        assert led.evidence["site"] == f"our own, reached as {FOREIGN}", "it is no proof of our own page"
    answer = post(service, FOREIGN, host="evil.example", accept="application/json")
    assert answer.json()["page"].startswith("http://localhost/"), "a forged Host names no page"


def test_a_registered_site_may_read_every_answer_also_of_a_failure(service):
    body = {**service.form(), "newsletters": ["morning"], "consent": True, "email": ANA}
    as_json = {"content-type": "application/json"}
    for content, status in (
        (json.dumps(body), 202),
        (json.dumps({**body, "email": "ana"}), 422),
        (json.dumps({**body, "newsletters": ["gone"]}), 422),
        ('{"email": ', 422),
        (b" " * 100_000, 413),
    ):
        told = service.browser.post("/subscribe", content=content, headers={"origin": SITE, **as_json})
        hidden = service.browser.post("/subscribe", content=content, headers={"origin": FOREIGN, **as_json})
        assert told.status_code == status
        assert told.headers["access-control-allow-origin"] == SITE
        assert "access-control-allow-origin" not in hidden.headers
        assert "Origin" in told.headers["vary"]
        assert "Origin" in hidden.headers["vary"]


def test_preflights_are_answered_for_registered_sites_alone(service):
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    allowed = service.browser.options("/subscribe", headers={"origin": SITE, **asks})
    assert allowed.status_code == 204
    assert {name: value for name, value in allowed.headers.items() if name.startswith(CORS)} == {
        "access-control-allow-origin": SITE,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type",
        "access-control-max-age": "600",
    }
    assert service.browser.options("/n/morning/form", headers={"origin": SITE}).status_code == 204
    for path, origin, status in (
        ("/subscribe", FOREIGN, 403),
        ("/subscribe", "null", 403),
        ("/n/evening/form", SITE, 403),
        ("/n/morning,evening/form", SITE, 403),
        ("/n/gone/form", SITE, 404),
        ("/archive", SITE, 405),
    ):
        refused = service.browser.options(path, headers={"origin": origin, **asks})
        assert refused.status_code == status, path
        assert not [name for name in refused.headers if name.startswith(CORS)]
    register(service, "evening", SITE)
    assert service.browser.options("/n/morning,evening/form", headers={"origin": SITE}).status_code == 204


def test_no_other_page_may_be_read_by_other_sites(service):
    for path in ("/", "/n/morning", "/archive", "/archive/morning", "/health/live"):
        answer = service.browser.get(path, headers={"origin": SITE})
        assert not [name for name in answer.headers if name.startswith(CORS)], path


def test_the_answer_to_a_pasted_form_leads_back_to_the_site_that_it_stands_on(service):
    _, html = service.paste_form(base_url="http://localhost")
    form = LexborHTMLParser(html).css_first("form")
    fields = {str(field.attributes["name"]): field.attributes["value"] for field in form.css("input[type=hidden]")}
    sent = {**fields, "consent": "true", "email": ANA}

    def back(origin: str) -> list[str | None]:
        headers = {"origin": origin, "referer": f"{FOREIGN}/page"}
        answer = service.browser.post("/subscribe", data=sent, headers=headers)
        assert answer.status_code == 202
        links = LexborHTMLParser(answer.text).css("main a")
        return [link.attributes["href"] for link in links if "Back to" in link.text()]

    assert back(SITE) == [f"{SITE}/"]
    assert back("null") == back("http://localhost") == [], "only a registered site is linked"
    with service.site.database.writing() as session:
        newsletter, by = newsletters.named(session, "morning"), {"actor": "tests", "now": NOON}
        newsletters.change(session, newsletter, site_url=f"{SITE}/blog", **by)
    service.let_the_site_read_newsletters_again()
    assert back(SITE) == [f"{SITE}/blog"]
