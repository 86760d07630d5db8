"""Forms: whose they are, a session that ends while one types, and failures of the database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.operators import operators, sessions
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import SessionStage
from newsletter.store.database import Database
from tests.servers.server import free_port
from tests.web.desk.conftest import PASSWORD, Visitor
from tests.whole_service import whole_service

AWAY = "postgresql+psycopg://nobody@127.0.0.1"
ANN, BOB = "ann@press.example", "bob@press.example"
TYPED = {"name": 'Ann <script>alert("1")</script>', "zone": "Europe/Berlin"}


def open_form(service, visitor, path="/desk/account"):
    """Sign in as Ann, open a form, and let the session end."""
    visitor.sign_in(ANN)
    page = LexborHTMLParser(visitor.browser.get(path).text)
    with service.site.database.writing() as session:
        for number in session.scalars(select(Operator.id)).all():
            sessions.end(session, number, now=service.clock())
    return page


def stored(service):
    with service.site.database.reading() as session:
        return session.execute(select(Operator.name, Operator.zone).where(Operator.address == ANN)).one()


def test_a_form_whose_session_ended_is_sent_after_signing_in_again_with_all_that_was_entered(service, operator, visit):
    operator(ANN)
    visitor = visit()
    page = open_form(service, visitor)
    refused = visitor.send("/desk/account", page, TYPED, headers={"Referer": "http://localhost/desk/account"})
    assert (refused.status_code, stored(service)) == (401, ("", None))
    answer = visitor.send(
        "/desk/sign-in", LexborHTMLParser(refused.text), {"address": ANN, "password": "a wrong password"}
    )
    assert answer.status_code == 422
    kept = visitor.send("/desk/sign-in", LexborHTMLParser(answer.text), {"address": ANN, "password": PASSWORD})
    assert "<script>alert" not in kept.text
    again = LexborHTMLParser(kept.text)
    assert again.css_first("main a").attributes["href"] == "/desk/account"
    assert stored(service) == ("", None)
    sent = visitor.send("/desk/account", again, {})
    assert (sent.status_code, sent.headers["location"]) == (303, "/desk/account?done=described")
    assert stored(service) == tuple(TYPED.values())


def test_another_operator_gets_nothing_of_a_form_that_was_kept(service, operator, visit):
    operator(ANN)
    operator(BOB)
    visitor = visit()
    refused = visitor.send("/desk/account", open_form(service, visitor), TYPED)
    answer = visitor.send("/desk/sign-in", LexborHTMLParser(refused.text), {"address": BOB, "password": PASSWORD})
    assert "Another operator had entered it" in answer.text
    assert TYPED["zone"] not in answer.text
    assert visitor.browser.get("/desk").status_code == 200


def test_a_form_is_kept_for_two_hours_and_an_altered_one_never(service, operator, visit):
    operator(ANN)
    visitor = visit()
    page = LexborHTMLParser(visitor.send("/desk/account", open_form(service, visitor), TYPED).text)
    carried = page.css_first("input[name=carried]").attributes["value"]
    fields = {"address": ANN, "password": PASSWORD}
    for altered in (carried[:-1] + ("A" if carried[-1] != "A" else "B"), "k1..", "x", carried.replace("k1.", "k2.")):
        answer = visitor.send("/desk/sign-in", page, {**fields, "carried": altered})
        assert "was not sent" in answer.text
    service.clock.advance(hours=2)
    assert "they are over" in visitor.send("/desk/sign-in", page, fields).text


def test_a_form_with_a_password_is_never_kept(service, operator, visit):
    operator(ANN)
    visitor = visit()
    page = open_form(service, visitor, "/desk/account/password")
    typed = {"present_password": PASSWORD, "new_password": "secret of mine", "new_password_again": "secret of mine"}
    refused = visitor.send("/desk/account/password", page, typed)
    assert (refused.status_code, "secret of mine" in refused.text, 'name="carried"' in refused.text) == (
        401,
        False,
        False,
    )
    assert "Nothing was saved" in refused.text


def test_a_form_waits_while_its_operator_signs_in_through_the_provider_in_another_tab(sqlite_url, tmp_path):
    oidc = {"oidc_issuer": "https://id.press.example", "oidc_client_id": "desk", "oidc_client_secret": "s" * 20}
    with whole_service(sqlite_url, tmp_path, **oidc) as service:
        with service.site.database.writing() as session:
            number = operators.add(session, ANN, role=Role.ADMIN, actor="tests", now=service.clock()).id
            token = begin_session(session, number, service.clock())
        browser = Visitor(service.browser)
        browser.browser.cookies.set("desk", token, domain="localhost.local")
        page = LexborHTMLParser(browser.browser.get("/desk/account").text)
        with service.site.database.writing() as session:
            sessions.end(session, number, now=service.clock())
        waiting = LexborHTMLParser(browser.send("/desk/account", page, TYPED).text)
        early = browser.send("/desk/sign-in/resume", waiting, {})
        assert (early.status_code, "not signed in yet" in early.text) == (401, True)
        with service.site.database.writing() as session:
            token = begin_session(session, number, service.clock())
        browser.browser.cookies.set("desk", token, domain="localhost.local")
        again = LexborHTMLParser(browser.send("/desk/sign-in/resume", LexborHTMLParser(early.text), {}).text)
        assert browser.send("/desk/account", again, {}).status_code == 303
        assert stored(service) == tuple(TYPED.values())


def begin_session(session, number, now):
    return sessions.begin(session, number, device="Tests", stage=SessionStage.FULL, now=now)


def test_a_form_of_another_tab_works_after_signing_in_again_but_not_in_another_operators_name(service, operator, visit):
    operator(ANN)
    operator(BOB)
    visitor = visit()
    page = open_form(service, visitor)
    visitor.sign_in(ANN)
    assert visitor.send("/desk/account", page, TYPED).status_code == 303
    visitor.send("/desk/sign-out", LexborHTMLParser(visitor.browser.get("/desk").text), {})
    visitor.sign_in(BOB)
    answer = visitor.send("/desk/account", page, {"name": "Not mine", "zone": ""})
    assert (answer.status_code, "Another operator opened this form" in answer.text) == (403, True)
    with service.site.database.reading() as session:
        assert "Not mine" not in session.scalars(select(Operator.name)).all()


def test_a_form_sent_twice_at_once_is_done_once(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    page = LexborHTMLParser(visitor.browser.get("/desk/account").text)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: visitor.send("/desk/account", page, TYPED), range(2)))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len([row for row in service.rows()["acts"] if "operator's account changed" in row]) == 1


def test_a_part_of_a_page_that_asks_after_the_session_ended_stops_and_changes_nothing(service, visit):
    answer = visit().browser.get("/desk", headers={"HX-Request": "true"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["hx-reswap"], answer.text) == (286, "none", "")


def test_while_the_database_is_away_a_form_waits_in_the_frame_of_the_desk_and_a_password_is_not_repeated(
    service, operator, visit
):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    account = LexborHTMLParser(visitor.browser.get("/desk/account").text)
    password = LexborHTMLParser(visitor.browser.get("/desk/account/password").text)
    here = service.site.database
    visitor.browser.app.state.site = replace(service.site, database=Database(f"{AWAY}:{free_port()}/nowhere"))
    kept = visitor.send("/desk/account", account, TYPED)
    refused = visitor.send("/desk/account/password", password, {"present_password": PASSWORD})
    page = visitor.browser.get("/desk/account")
    visitor.browser.app.state.site.database.close()
    visitor.browser.app.state.site = replace(service.site, database=here)
    assert [each.status_code for each in (kept, refused, page)] == [503] * 3
    assert "The desk is away for a moment" in page.text
    assert PASSWORD not in refused.text
    assert visitor.send("/desk/account", LexborHTMLParser(kept.text), {}).status_code == 303
    assert stored(service) == tuple(TYPED.values())


def test_while_the_database_fails_the_form_is_shown_again_in_the_frame_of_the_desk(service, operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    page = LexborHTMLParser(visitor.browser.get("/desk/account").text)
    with service.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE operator_sessions RENAME TO elsewhere")
    answer = visitor.send("/desk/account", page, TYPED)
    assert (answer.status_code, answer.headers["cache-control"]) == (500, "no-store")
    again = LexborHTMLParser(answer.text)
    assert visitor.browser.get("/desk").status_code == 500
    with service.site.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO operator_sessions")
    assert visitor.send("/desk/account", again, {}).status_code == 303
    assert stored(service) == tuple(TYPED.values())
