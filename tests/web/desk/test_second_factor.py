"""The second factor: turning it on, being asked for it, recovery codes, and turning it off."""

import pyotp
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.audit_log import AuditEntry
from newsletter.operators.operators import Operator
from newsletter.operators.recovery_codes import CODES, RecoveryCode
from tests.web.desk.conftest import PASSWORD

ANN = "ann@press.example"
PAGE = "/desk/account/second-factor"


@pytest.fixture
def app(service, operator, visit):
    """The app and the recovery codes of Ann, who has turned the second factor on."""
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    start = LexborHTMLParser(visitor.browser.get(PAGE).text)
    assert visitor.send(f"{PAGE}/begin", start, {"password": PASSWORD}).status_code == 303
    shown = LexborHTMLParser(visitor.browser.get(PAGE).text)
    secret = shown.css_first("main code").text().replace(" ", "")
    answer = visitor.send(f"{PAGE}/confirm", shown, {"code": pyotp.TOTP(secret).at(service.clock())})
    codes = [each.text() for each in LexborHTMLParser(answer.text).css("main code")]
    service.clock.advance(minutes=1)
    return pyotp.TOTP(secret), codes


def enter_code(visitor, code, to="/desk"):
    """Sign in with the password, then send a code; return the answer to it."""
    asked = visitor.sign_in(ANN, to=to)
    page = LexborHTMLParser(visitor.browser.get(asked.headers["location"]).text)
    return visitor.send("/desk/sign-in/code", page, {"code": code})


def test_after_the_password_a_code_is_asked_and_leads_to_the_page_that_was_wanted_with_a_new_token(service, visit, app):
    visitor = visit()
    asked = visitor.sign_in(ANN, to="/desk/account")
    assert asked.headers["location"] == "/desk/sign-in/code?to=%2Fdesk%2Faccount"
    half = visitor.browser.cookies["desk"]
    assert visitor.browser.get("/desk/account", follow_redirects=False).headers["location"].startswith("/desk/sign-in")
    page = LexborHTMLParser(visitor.browser.get(asked.headers["location"]).text)
    answer = visitor.send("/desk/sign-in/code", page, {"code": app[0].at(service.clock())})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/account")
    assert visitor.browser.get("/desk/account").status_code == 200
    assert visitor.browser.cookies["desk"] != half
    stolen = visit().browser.get("/desk/sign-in/code", headers={"Cookie": f"desk={half}"}, follow_redirects=False)
    assert stolen.headers["location"] == "/desk/sign-in"


def test_a_code_counts_once_also_on_another_device(service, visit, app):
    code = app[0].at(service.clock())
    assert enter_code(visit(), code).status_code == 303
    refused = enter_code(visit("Another"), code)
    assert (refused.status_code, "used already" in refused.text) == (422, True)
    service.clock.advance(seconds=30)
    assert enter_code(visit("Another"), app[0].at(service.clock())).status_code == 303


def test_a_phone_may_be_half_a_minute_off_but_not_two(service, visit, app):
    assert enter_code(visit(), app[0].at(service.clock(), counter_offset=-1)).status_code == 303
    assert enter_code(visit("Another"), app[0].at(service.clock(), counter_offset=3)).status_code == 422


def test_a_recovery_code_lets_in_once_however_it_is_written(service, visit, app):
    _, codes = app
    assert len(set(codes)) == CODES
    spoken = codes[0].replace("-", " ").lower()
    assert enter_code(visit(), spoken).status_code == 303
    assert enter_code(visit("Another"), codes[0]).status_code == 422
    with service.site.database.reading() as session:
        assert len(session.scalars(select(RecoveryCode).where(RecoveryCode.used_at.is_(None))).all()) == CODES - 1
        assert "recovery code used" in session.scalars(select(AuditEntry.verb)).all()


def test_after_ten_wrong_codes_the_right_one_waits(service, visit, app):
    visitor = visit()
    asked = visitor.sign_in(ANN)
    page = LexborHTMLParser(visitor.browser.get(asked.headers["location"]).text)
    answers = [visitor.send("/desk/sign-in/code", page, {"code": "000000"}).status_code for _ in range(10)]
    last = visitor.send("/desk/sign-in/code", page, {"code": app[0].at(service.clock())})
    assert (set(answers), last.status_code, "retry-after" in last.headers) == ({422}, 429, True)


def test_the_secret_is_stored_encrypted_and_the_recovery_codes_as_hashes(service, app):
    totp, codes = app
    with service.site.database.reading() as session:
        stored = session.scalar(select(Operator.totp_secret))
        hashes = session.scalars(select(RecoveryCode.code_hash)).all()
    assert stored.startswith(b"k1:")
    assert totp.secret.encode() not in stored
    assert not {code.encode() for code in codes} & set(hashes)


def test_new_codes_replace_the_old_ones_and_turning_it_off_asks_for_the_password(service, visit, app):
    visitor = visit()
    enter_code(visitor, app[1][0])
    page = LexborHTMLParser(visitor.browser.get(PAGE).text)
    wrong = visitor.send(f"{PAGE}/codes", page, {"password": "not it"})
    assert (wrong.status_code, "present password" in wrong.text) == (422, True)
    renewed = visitor.send(f"{PAGE}/codes", page, {"password": PASSWORD})
    codes = [each.text() for each in LexborHTMLParser(renewed.text).css("main code")]
    assert enter_code(visit("Another"), app[1][1]).status_code == 422
    assert enter_code(visit("Another"), codes[0]).status_code == 303
    form = {"form_token": page.css_first("main input[name=form_token]").attributes["value"], "password": PASSWORD}
    assert visitor.browser.post(f"{PAGE}/off", data=form).status_code == 200
    assert visit("Third").sign_in(ANN).headers["location"] == "/desk"


def test_turning_it_on_signs_out_who_gave_no_code_and_gives_this_device_a_new_token(service, operator, visit):
    operator(ANN)
    thief, visitor = visit(), visit()
    thief.sign_in(ANN)
    visitor.sign_in(ANN)
    former = visitor.browser.cookies["desk"]
    visitor.send(f"{PAGE}/begin", LexborHTMLParser(visitor.browser.get(PAGE).text), {"password": PASSWORD})
    shown = LexborHTMLParser(visitor.browser.get(PAGE).text)
    code = pyotp.TOTP(shown.css_first("main code").text().replace(" ", "")).at(service.clock())
    answer = visitor.send(f"{PAGE}/confirm", shown, {"code": code})
    assert "All other devices are signed out" in answer.text
    assert visitor.browser.get(PAGE).status_code == 200
    assert thief.browser.get(PAGE, follow_redirects=False).status_code == 303
    stolen = visit().browser.get(PAGE, headers={"Cookie": f"desk={former}"}, follow_redirects=False)
    assert stolen.status_code == 303


def test_it_is_not_turned_on_by_a_wrong_code_or_without_the_password(operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    start = LexborHTMLParser(visitor.browser.get(PAGE).text)
    assert visitor.send(f"{PAGE}/begin", start, {"password": "not it"}).status_code == 422
    visitor.send(f"{PAGE}/begin", start, {"password": PASSWORD})
    shown = LexborHTMLParser(visitor.browser.get(PAGE).text)
    answer = visitor.send(f"{PAGE}/confirm", shown, {"code": "12345"})
    assert (answer.status_code, "<svg" in answer.text) == (422, True)
    assert visit("Another").sign_in(ANN).headers["location"] == "/desk"


def test_who_signs_out_instead_of_giving_a_code_has_to_give_the_password_again(visit, app):
    visitor = visit()
    asked = visitor.sign_in(ANN)
    half = visitor.browser.cookies["desk"]
    page = LexborHTMLParser(visitor.browser.get(asked.headers["location"]).text)
    token = page.css_first("input[name=form_token]").attributes["value"]
    visitor.browser.post("/desk/sign-out", data={"form_token": token})
    stolen = visit().browser.get("/desk/sign-in/code", headers={"Cookie": f"desk={half}"}, follow_redirects=False)
    assert stolen.status_code == 303
