"""Sessions: how long they last, where they are listed, and how they end."""

from dataclasses import replace
from datetime import timedelta

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.operators.operators import Operator
from newsletter.operators.session_activity import SessionActivity
from newsletter.operators.sessions import OperatorSession
from newsletter.queues.wakeups import Queue
from newsletter.store.database import Database
from tests.web.desk.conftest import ON_BOTH, PASSWORD

ANN = "ann@press.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1"


def is_in(visitor):
    return visitor.browser.get("/desk/account/password", follow_redirects=False).status_code == 200


def seen_at(service):
    service.site.activity.close()
    with service.site.database.reading() as session:
        return session.scalar(select(OperatorSession.seen_at))


def test_a_session_ends_after_twelve_hours_without_use_and_after_fourteen_days_in_any_case(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    for _ in range(int(timedelta(days=14) / timedelta(hours=11.5))):
        service.clock.advance(hours=11.5)
        assert is_in(visitor)
        service.site.activity.close()
    service.clock.advance(hours=11.5)
    assert not is_in(visitor)
    visitor.sign_in(ANN)
    service.clock.advance(hours=12)
    assert not is_in(visitor)


def test_the_last_use_is_recorded_to_the_quarter_hour_and_not_by_the_page_itself(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    begun = service.clock()
    service.clock.advance(minutes=14)
    assert is_in(visitor)
    assert seen_at(service) == begun
    service.clock.advance(minutes=1)
    assert is_in(visitor)
    assert seen_at(service) == begun + timedelta(minutes=15)


def test_a_page_that_asks_by_itself_keeps_no_session_alive(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    begun = service.clock()
    service.clock.advance(hours=1)
    assert visitor.browser.get("/desk/account", headers={"HX-Request": "true"}).status_code == 200
    assert seen_at(service) == begun


def test_a_page_opens_although_its_use_cannot_be_recorded(service, operator, visit, caplog):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nowhere?connect_timeout=1")
    app = visitor.browser.app
    app.state.site = replace(service.site, activity=SessionActivity(away))
    service.clock.advance(hours=1)
    assert is_in(visitor)
    app.state.site.activity.close()
    assert "the last use of sessions was not recorded" in caplog.text


@ON_BOTH
def test_devices_are_listed_in_words_and_ended_one_by_one_or_all_others(service, operator, visit):
    operator(ANN)
    here, phone, third = visit(FIREFOX), visit(SAFARI), visit("curl/8")
    for each in (here, phone, third):
        assert each.sign_in(ANN).status_code == 303
    page = LexborHTMLParser(here.browser.get("/desk/account").text)
    assert [each.text() for each in page.css("section .items b")] == [
        "Another program",
        "Safari on iPhone",
        "Firefox on Linux",
    ]
    assert [form.css_first("button").text() for form in page.css("form[action$='/end']")] == [
        "Sign out Another program",
        "Sign out Safari on iPhone",
    ]
    forms = page.css("form[action='/desk/account/sessions/end']")
    fields = {each.attributes["name"]: each.attributes["value"] for each in forms[1].css("input")}
    answer = here.browser.post("/desk/account/sessions/end", data=fields)
    assert "That device is signed out." in answer.text
    again = here.browser.post("/desk/account/sessions/end", data=fields)
    assert "signed out already" in again.text
    assert [is_in(each) for each in (here, phone, third)] == [True, False, True]
    here.send("/desk/account/sessions/end-others", page, {})
    assert [is_in(each) for each in (here, phone, third)] == [True, False, False]


def test_nobody_ends_the_session_of_somebody_else(service, operator, visit, sign_in):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    with service.site.database.reading() as session:
        number = session.scalar(select(OperatorSession.id))
    other = sign_in()
    answer = other.post("/account/sessions/end", {"session": str(number)}, of="/account")
    assert answer.headers["location"].endswith("not-ended")
    assert other.post("/account/sessions/end", {"session": "x"}, of="/account").status_code == 422
    assert is_in(visitor)


def test_a_new_password_makes_every_other_cookie_worthless_and_gives_this_device_a_new_one(service, operator, visit):
    operator(ANN)
    visitor, other = visit(), visit("Another")
    visitor.sign_in(ANN)
    other.sign_in(ANN)
    stolen = visitor.browser.cookies["desk"]
    page = LexborHTMLParser(visitor.browser.get("/desk/account/password").text)
    new = "amber quarry lantern 9"
    fields = {"present_password": PASSWORD, "new_password": new, "new_password_again": new}
    answer = visitor.send("/desk/account/password", page, fields)
    assert answer.headers["location"] == "/desk/account?done=password"
    assert is_in(visitor)
    assert not is_in(other)
    thief = visit().browser.get("/desk", headers={"Cookie": f"desk={stolen}"}, follow_redirects=False)
    assert thief.status_code == 303
    assert visit().sign_in(ANN, PASSWORD).status_code == 422
    assert visit().sign_in(ANN, new).status_code == 303


@ON_BOTH
def test_a_removed_operator_is_out_at_once(service, operator, visit):
    number = operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    with service.site.database.writing() as session:
        session.delete(session.get_one(Operator, number))
    assert not is_in(visitor)


@ON_BOTH
def test_sessions_that_ended_and_old_counts_are_deleted_by_the_upkeep(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN, "a wrong password")
    visitor.sign_in(ANN)
    service.clock.advance(hours=13)
    service.run(Queue.UPKEEP)
    with service.site.database.reading() as session:
        assert session.scalar(select(OperatorSession.id))
    service.clock.advance(hours=24)
    service.run(Queue.UPKEEP)
    rows = service.rows()
    assert rows["operator_sessions"] == rows["sign_in_failures"] == []
