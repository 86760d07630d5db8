"""Signing in with address and password, and out."""

from argon2 import PasswordHasher
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.operators.operators import Operator
from newsletter.operators.passwords import Passwords
from newsletter.web.desk.access.sign_in import WRONG
from tests.web.desk.conftest import PASSWORD

ANN = "ann@press.example"


def test_address_and_password_lead_to_the_page_that_was_wanted(operator, visit):
    operator(ANN)
    visitor = visit()
    asked = visitor.browser.get("/desk?month=2026-03", follow_redirects=False)
    page = LexborHTMLParser(visitor.browser.get(asked.headers["location"]).text)
    answer = visitor.send("/desk/sign-in", page, {"address": "Ann@Press.Example", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk?month=2026-03")
    assert visitor.browser.get("/desk").status_code == 200
    assert visitor.browser.get("/desk/sign-in", follow_redirects=False).headers["location"] == "/desk"


def test_the_answer_never_tells_whether_there_is_an_account(operator, visit):
    operator(ANN)
    operator("invited@press.example", password=None)
    answers = [
        visit(ip=f"198.51.100.{number}").sign_in(address, "a wrong password")
        for number, address in enumerate([ANN, "invited@press.example", "nobody@press.example"])
    ]
    bodies = [
        LexborHTMLParser(answer.text.replace(address, "")).css_first("main").text()
        for answer, address in zip(answers, [ANN, "invited@press.example", "nobody@press.example"], strict=True)
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert len(set(bodies)) == 1
    assert WRONG in bodies[0]


def test_a_refused_form_shows_the_address_again_but_never_the_password(operator, visit):
    operator(ANN)
    answer = visit().sign_in(ANN, "a wrong password")
    page = LexborHTMLParser(answer.text)
    assert page.css_first("#address").attributes["value"] == ANN
    assert page.css_first("#password").attributes.get("value") is None
    assert page.css_first("#password").attributes["aria-invalid"] == "true"
    assert "a wrong password" not in answer.text
    for fields, says in (
        (("", "x"), "Enter your e-mail address"),
        ((ANN, ""), "Enter your password"),
        (("<script>@x", "y"), "whole address"),
    ):
        answer = visit().sign_in(*fields)
        assert (answer.status_code, says in answer.text, "<script>@" in answer.text) == (422, True, False)


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "///desk",  # for a browser the host `desk`
    "///desk/account",
    "/archive",
    "/desk//evil.example",
    "/desk\\evil",
    "javascript:x",
)


def test_no_link_leads_elsewhere_through_the_sign_in(operator, visit):
    operator(ANN)
    visitor = visit()
    page = LexborHTMLParser(visitor.browser.get("/desk/sign-in").text)
    for to in ELSEWHERE:
        answer = visitor.send("/desk/sign-in", page, {"address": ANN, "password": PASSWORD, "to": to})
        assert answer.headers["location"] == "/desk", to


def test_each_sign_in_has_a_token_of_its_own_and_ends_the_one_before(operator, visit):
    operator(ANN)
    visitor = visit()
    two_tabs = LexborHTMLParser(visitor.browser.get("/desk/sign-in").text)
    tokens = []
    for _ in range(2):
        visitor.send("/desk/sign-in", two_tabs, {"address": ANN, "password": PASSWORD})
        tokens.append(visitor.browser.cookies["desk"])
    assert tokens[0] != tokens[1]
    assert [entered(visit(), token) for token in tokens] == [False, True]
    visitor.send("/desk/sign-out", LexborHTMLParser(visitor.browser.get("/desk").text), {})
    assert "desk" not in visitor.browser.cookies
    assert not entered(visit(), tokens[1])


def entered(thief, token):
    """Whether the desk opens for a copied cookie."""
    return thief.browser.get("/desk", headers={"Cookie": f"desk={token}"}, follow_redirects=False).status_code == 200


def test_a_password_is_hashed_anew_when_the_parameters_grow_stronger(service, operator, visit):
    number = operator(ANN, password=None)
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16)
    with service.site.database.writing() as session:
        session.get_one(Operator, number).password_hash = Passwords(weaker).hash(PASSWORD)
    assert visit().sign_in(ANN).status_code == 303
    with service.site.database.reading() as session:
        stored = session.scalar(select(Operator.password_hash))
    assert not service.site.passwords.is_outdated(stored)
    assert visit().sign_in(ANN).status_code == 303


def test_secrets_and_addresses_reach_no_log(service, operator, visit, caplog):
    operator(ANN)
    caplog.set_level(0)
    visitor = visit()
    visitor.sign_in(ANN, "a wrong password")
    visitor.sign_in(ANN)
    for secret in (ANN, "a wrong password", "violet harbour", visitor.browser.cookies["desk"]):
        assert secret not in caplog.text
