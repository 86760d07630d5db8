"""Invitations and forgotten passwords: a link that somebody opens changes nothing, and its form works once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.audit_log import AuditEntry
from newsletter.links import Purpose
from newsletter.operators import operator_links, operators, sessions
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from tests.web.desk.conftest import PASSWORD, Visitor
from tests.whole_service import WholeService, whole_service

NEW = "granite willow teapot 4"
EVE = "eve@press.example"


def link_to(service: WholeService, address: str = EVE, *, purpose: LinkPurpose = LinkPurpose.INVITATION) -> str:
    """Make a link for the operator with this address, who is added if there is none; return its path."""
    with service.site.database.writing() as session:
        operator = session.scalar(select(Operator).where(Operator.address == address))
        operator = operator or operators.add(session, address, role=Role.EDITOR, actor="tests", now=service.clock())
        link = operator_links.make(session, operator, purpose, actor="tests", now=service.clock())
    return service.site.links.url(Purpose.OPERATOR_LINK, link.id).removeprefix(service.site.settings.base_url)


def send(visitor: Any, path: str, **fields: str) -> Any:
    """Open the page of a link and send its form."""
    return press(visitor, path, form_token(visitor, path), **fields)


def form_token(visitor: Any, path: str) -> str:
    """Open the page of a link and return the token of its form."""
    page = LexborHTMLParser(visitor.browser.get(path).text)
    return page.css_first("main input[name=form_token]").attributes["value"]


def press(visitor: Any, path: str, token: str, **fields: str) -> Any:
    """Send the form of a page that is open."""
    return visitor.browser.post(path, data={"form_token": token, **fields}, follow_redirects=False)


def test_an_invitation_that_a_scanner_opens_still_lets_its_owner_in(service, visit):
    path = link_to(service)
    scanner, owner = visit("Scanner"), visit()
    for _ in range(3):
        answer = scanner.browser.get(path)
        assert (answer.status_code, answer.headers["referrer-policy"]) == (200, "no-referrer")
    answer = send(owner, path, name=" Eve  Example ", password=NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    assert "Eve Example" in owner.browser.get("/desk").text
    assert visit().sign_in(EVE, NEW).headers["location"] == "/desk"


def test_a_used_link_says_so_and_changes_nothing(service, visit):
    path = link_to(service)
    owner, thief = visit(), visit()
    token = LexborHTMLParser(thief.browser.get(path).text).css_first("main input[name=form_token]")
    send(owner, path, password=NEW)
    stolen = {"form_token": token.attributes["value"], "password": "another harbour entirely 5"}
    answer = thief.browser.post(path, data=stolen, follow_redirects=False)
    assert answer.status_code == 410
    assert "This link has been used" in answer.text
    assert visit().sign_in(EVE, NEW).status_code == 303


def test_of_two_presses_one_signs_in(service, visit):
    path = link_to(service)
    opened = [(browser, form_token(browser, path)) for browser in (visit(), visit())]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: press(each[0], path, each[1], password=NEW), opened))
    assert sorted(each.status_code for each in answers) == [303, 410]


@pytest.mark.parametrize(
    ("password", "says"), [("", "at least 12"), ("short", "at least 12"), ("eve@press.example", "another password")]
)
def test_a_refused_password_leaves_the_link_and_what_was_entered(service, visit, password, says):
    path, owner = link_to(service), visit()
    answer = send(owner, path, name="Eve", password=password)
    assert answer.status_code == 422
    assert says in answer.text
    assert 'value="Eve"' in answer.text
    assert password not in answer.text or password in ("", EVE)
    assert send(owner, path, password=NEW).status_code == 303


def test_a_link_that_does_not_work_says_what_to_do(service, visit):
    replaced, visitor = link_to(service), visit()
    expired = link_to(service)
    service.clock.advance(hours=24)
    for path, status, says in (
        (replaced, 410, "A newer link has replaced this one"),
        (expired, 410, "This link has expired"),
        (expired[:-3], 404, "This link does not work"),
        ("/desk/link/nonsense", 404, "This link does not work"),
    ):
        answer = visitor.browser.get(path)
        assert (answer.status_code, says in answer.text) == (status, True)


def test_the_link_of_a_removed_operator_does_not_work(service, visit):
    path = link_to(service)
    with service.site.database.writing() as session:
        operators.remove(session, operators.of_address(session, EVE), actor="tests", now=service.clock())
    assert visit().browser.get(path).status_code == 404


def test_a_reset_ends_every_session_and_still_asks_the_second_factor(service, visit, operator):
    number = operator(EVE)
    with service.site.database.writing() as session:
        operators.numbered(session, number).totp_confirmed_at = service.clock()
        sessions.begin(session, number, device="Old", stage=SessionStage.FULL, now=service.clock())
    visitor = visit()
    answer = send(visitor, link_to(service, purpose=LinkPurpose.RESET), password=NEW)
    assert answer.headers["location"].startswith("/desk/sign-in/code")
    assert visitor.browser.get("/desk", follow_redirects=False).status_code == 303
    with service.site.database.reading() as session:
        (current,) = sessions.of_operator(session, number, now=service.clock())
    assert current.stage is SessionStage.PASSWORD
    assert visit().sign_in(EVE, PASSWORD).status_code == 422


def test_who_has_changed_the_password_at_the_desk_has_ended_the_links_that_lay_in_the_mailbox(service, visit, operator):
    operator(EVE)
    path, visitor = link_to(service, purpose=LinkPurpose.RESET), visit()
    visitor.sign_in(EVE)
    page = LexborHTMLParser(visitor.browser.get("/desk/account/password").text)
    fields = {"present_password": PASSWORD, "new_password": NEW, "new_password_again": NEW}
    assert visitor.send("/desk/account/password", page, fields).status_code == 303
    assert visit().browser.get(path).status_code == 410


def test_a_link_signs_out_whoever_else_uses_this_browser(service, sign_in):
    desk = sign_in(Role.ADMIN)
    path = link_to(service)
    assert f"{desk.address} is signed in on this device" in desk.browser.get(path).text
    send(desk, path, name="Eve", password=NEW)
    assert "Eve" in desk.get().text
    assert desk.address not in desk.get().text


@pytest.fixture
def writing_service(sqlite_url, tmp_path):
    """A service with a sender of its own."""
    with whole_service(sqlite_url, tmp_path, service_sender="desk@press.example") as service:
        yield service


def test_a_forgotten_password_gets_the_same_answer_for_every_address(writing_service):
    service = writing_service
    link_to(service)
    browser = service.browser

    def ask(address: str) -> tuple[int, str]:
        token = LexborHTMLParser(browser.get("/desk/sign-in/forgotten").text).css_first("main input[name=form_token]")
        fields = {"form_token": token.attributes["value"], "address": address}
        answer = browser.post("/desk/sign-in/forgotten", data=fields, follow_redirects=False)
        return answer.status_code, browser.get(answer.headers["location"]).text.partition("<h1>")[2]

    known = [ask(EVE) for _ in range(4)]
    assert known == [ask("nobody@press.example")] * 4
    assert known[0][0] == 303
    with service.site.database.reading() as session:
        made = session.scalars(select(AuditEntry).where(AuditEntry.verb == "operator's invitation link made")).all()
    assert [entry.actor for entry in made] == ["tests", "site", "site", "site"]


def test_a_mailed_link_lets_its_owner_in(writing_service):
    service = writing_service
    link_to(service)
    page = LexborHTMLParser(service.browser.get("/desk/sign-in/forgotten").text)
    token = page.css_first("main input[name=form_token]").attributes["value"]
    service.browser.post("/desk/sign-in/forgotten", data={"form_token": token, "address": EVE.upper()})
    service.run()
    (letter,) = service.letters(EVE)
    path = service.link(letter, "desk/link").removeprefix("http://localhost")
    assert send(Visitor(service.browser), path, password=NEW).status_code == 303
    assert path.rpartition("/")[2] not in str(service.rows())


def test_a_desk_without_a_sender_tells_who_can_make_a_link(service, visit):
    page = visit().browser.get("/desk/sign-in/forgotten").text
    assert "Ask an administrator" in page
    assert "<form" not in page.partition("<main")[2]


def test_asking_for_links_is_limited_by_network(writing_service):
    browser = writing_service.browser
    page = LexborHTMLParser(browser.get("/desk/sign-in/forgotten").text)
    token = page.css_first("main input[name=form_token]").attributes["value"]
    answers = [
        browser.post("/desk/sign-in/forgotten", data={"form_token": token, "address": f"someone{n}@press.example"})
        for n in range(21)
    ]
    assert [each.status_code for each in answers[-2:]] == [200, 429]
    assert timedelta(seconds=int(answers[-1].headers["retry-after"])) <= timedelta(hours=1)
