"""Where the desk is served, what its answers forbid, and how two processes of the site share it."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from newsletter.doctor import examination
from newsletter.operators import operators
from newsletter.operators.passwords import Passwords
from newsletter.settings import Settings
from newsletter.web import create_app
from tests.clock import NOON
from tests.web.desk.conftest import PASSWORD, Visitor
from tests.whole_service import CHEAP_HASHES, NoWakeups, whole_service

ANN = "ann@press.example"


def test_a_desk_with_its_own_origin_is_served_there_and_nothing_else_is(sqlite_url, tmp_path):
    urls = {"base_url": "https://letters.press.example", "desk_url": "https://desk.press.example"}
    with whole_service(sqlite_url, tmp_path, **urls) as service:
        service.newsletter()
        site = service.browser
        desk = TestClient(site.app, base_url=urls["desk_url"], follow_redirects=False)
        assert desk.get("/").headers["location"] == "/desk"
        assert desk.get("/desk/sign-in").status_code == 200
        assert desk.get("/health/live").status_code == 200
        assert desk.get("/static/base.css").status_code == 200
        for path in ("/n/morning", "/archive", "/subscribe", "/u/x.y"):
            assert (desk.get(path).status_code, desk.post(path).status_code) == (404, 404), path
        answer = site.get("/desk/sign-in")
        assert (answer.status_code, "https://desk.press.example/desk" in answer.text) == (404, True)
        assert site.get("/n/morning").status_code == 200
        desk.cookies.clear()
        spelled = desk.get("/desk/sign-in", headers={"Host": "Desk.Press.Example:443"})
        assert spelled.status_code == 200
        cookies = spelled.headers["set-cookie"]
        assert cookies.startswith("__Host-desk-visit=")
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookies.split(";")}


@pytest.mark.parametrize(
    ("base_url", "desk_url", "says"),
    [
        ("https://press.example/letters", None, "NEWSLETTER_DESK_URL"),
        ("https://press.example/letters", "https://desk.press.example", None),
        ("http://letters.press.example", None, "HTTPS"),
        ("https://letters.press.example", "http://desk.press.example", "HTTPS"),
        ("http://localhost:8000", None, None),
        ("https://letters.press.example", None, None),
    ],
)
def test_a_desk_needs_https_and_an_origin_that_is_the_publishers_alone(base_url, desk_url, says):
    settings = Settings(base_url="http://localhost").model_copy(update={"base_url": base_url, "desk_url": desk_url})
    assert (settings.desk_problem is None) is (says is None)
    assert says is None or says in settings.desk_problem


def test_a_desk_that_cannot_be_opened_says_why_and_so_does_doctor(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path, base_url="http://letters.press.example") as service:
        for path in ("/desk", "/desk/sign-in"):
            answer = service.browser.get(path)
            assert (answer.status_code, "HTTPS" in answer.text, "<form" in answer.text) == (400, True, False)
        problem = service.site.settings.desk_problem
        with service.site.database.writing() as session:
            assert examination.collect_remarks(session, now=NOON, desk_problem=problem) == []
            operators.add(session, ANN, role=operators.Role.ADMIN, actor="tests", now=NOON)
            (remark,) = examination.collect_remarks(session, now=NOON, desk_problem=problem)
        assert (remark.name, remark.says) == ("desk-closed", problem)


def test_no_answer_of_the_desk_is_cached_framed_or_indexed_and_no_script_stands_in_it(service, sign_in):
    desk = sign_in()
    for answer in (
        desk.get("/sign-in"),
        desk.get(),
        desk.get("/account"),
        desk.get("/nowhere"),
        desk.get("/sign-in/code"),
    ):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert (policy["default-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'none'",) * 3
        assert "unsafe" not in str(policy)
        assert answer.headers["cache-control"] == "no-store"
        page = LexborHTMLParser(answer.text)
        assert not page.css("script:not([src]), style, [style], [onclick]")
    assert desk.get("/account").headers["referrer-policy"] == "same-origin"


def test_hosted_forms_tell_their_own_origin_and_pages_behind_a_token_nothing(service):
    service.newsletter()
    letter = service.reader("ana@example.org")
    for path in ("/", "/n/morning"):
        assert service.browser.get(path).headers["referrer-policy"] == "same-origin"
    refused = service.browser.post("/subscribe", data={"email": "x", "newsletters": "morning"})
    assert refused.headers["referrer-policy"] == "same-origin"
    for purpose in ("u", "confirm"):
        assert service.browser.get(service.link(letter, purpose)).headers["referrer-policy"] == "no-referrer"


def test_two_processes_of_the_site_share_sessions_and_limits(service, operator):
    operator(ANN)
    settings = service.site.settings
    other = create_app(settings, NoWakeups())
    other.state.site = replace(other.state.site, now=service.clock, passwords=Passwords(CHEAP_HASHES))
    with (
        TestClient(service.browser.app, base_url=settings.base_url) as here,
        TestClient(other, base_url=settings.base_url) as there,
    ):
        assert Visitor(here).sign_in(ANN, PASSWORD).status_code == 303
        there.cookies = here.cookies
        assert there.get("/desk").status_code == 200
        page = LexborHTMLParser(there.get("/desk/account").text)
        assert Visitor(there).send("/desk/account", page, {"name": "Ann", "zone": ""}).status_code == 303
        Visitor(there).send("/desk/sign-out", page, {})
        assert here.get("/desk", follow_redirects=False).status_code == 303
        here.cookies = there.cookies = None
        statuses = [Visitor((here, there)[turn % 2]).sign_in("bob@press.example").status_code for turn in range(11)]
        assert statuses == [422] * 10 + [429]


def test_an_address_without_a_page_and_the_address_of_a_form_are_told_in_the_frame_of_the_desk(sign_in):
    desk = sign_in()
    lost, form = desk.get("/nowhere"), desk.get("/account/sessions/end")
    assert (lost.status_code, form.status_code, form.headers["allow"]) == (404, 405, "POST")
    for answer in (lost, form):
        assert LexborHTMLParser(answer.text).css_first("nav.main-nav a[href='/desk']")


def test_a_browser_that_keeps_no_cookies_is_told_so(operator, visit):
    operator(ANN)
    visitor = visit()
    page = LexborHTMLParser(visitor.browser.get("/desk/sign-in").text)
    visitor.browser.cookies.clear()
    answer = visitor.send("/desk/sign-in", page, {"address": ANN, "password": PASSWORD})
    assert (answer.status_code, "Allow cookies" in answer.text) == (403, True)
