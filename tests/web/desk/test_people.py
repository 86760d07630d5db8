"""The pages of operators: adding, inviting, roles, sessions and removal, by administrators of all newsletters."""

import pytest
from sqlalchemy import select

from newsletter.operators import grants, operators
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from tests.web.desk.conftest import signing_in
from tests.whole_service import whole_service

EVE = "eve@press.example"


def add(desk, **fields):
    """Send the form for another operator; return the answer and the operator's path."""
    answer = desk.post(
        "/operators/new", {"address": EVE, "role": "editor", "where": "all", **fields}, of="/operators/new"
    )
    return answer, answer.headers.get("location", "").partition("?")[0].removeprefix("/desk")


def held(service, address=EVE):
    with service.site.database.reading() as session:
        operator = session.scalars(select(Operator).where(Operator.address == address)).one()
        return grants.named(session, operator.id).get(operator.id, [])


def test_an_added_operator_appears_with_a_link_for_the_administrator(service, sign_in, visit):
    desk = sign_in()
    answer, path = add(desk)
    assert answer.status_code == 303
    page = desk.page(answer.headers["location"].removeprefix("/desk"))
    url = page.css_first("code").text()
    assert visit().browser.get(url).status_code == 200
    assert desk.page(path).css_first("code") is None
    service.clock.advance(minutes=16)
    assert desk.page(answer.headers["location"].removeprefix("/desk")).css_first("code") is None
    listed = desk.page("/operators")
    assert listed.css_first("h1").text() == "2 people may use the desk"
    assert listed.css_first(".lead").text() == "They have not signed in for the first time yet."
    assert EVE in listed.css_first(".items").text()


def test_with_a_sender_the_link_is_mailed_and_no_page_shows_it(sqlite_url, tmp_path):
    with (
        whole_service(sqlite_url, tmp_path, service_sender="desk@press.example") as service,
        signing_in(service) as enter,
    ):
        desk = enter()
        answer, _ = add(desk)
        page = desk.page(answer.headers["location"].removeprefix("/desk"))
        assert "on its way" in page.css_first("[role=status]").text()
        assert "/desk/link/" not in page.html
        service.run()
        (letter,) = service.letters(EVE)
        assert service.link(letter, "desk/link")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"address": "eve"}, "eve"),
        ({"role": ""}, "Choose a role"),
        ({"where": "some"}, "at least one newsletter"),
    ],
)
def test_a_refused_form_keeps_what_was_entered_and_adds_nobody(service, sign_in, fields, says):
    service.newsletter()
    desk = sign_in()
    answer, _ = add(desk, **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{fields.get("address", EVE)}"' in answer.text
    with service.site.database.reading() as session:
        assert len(operators.every(session)) == 1


def test_adding_the_same_operator_twice_is_told_in_words(service, sign_in):
    desk = sign_in()
    add(desk)
    answer, _ = add(desk, address=EVE.upper())
    assert (answer.status_code, "belongs to an operator already" in answer.text) == (422, True)


def test_roles_are_given_changed_and_taken_for_single_newsletters(service, sign_in):
    service.newsletter("morning")
    service.newsletter("evening")
    desk = sign_in()
    _, path = add(desk, where="some", newsletters=["morning", "evening"])
    assert [(each.slug, each.role) for each in held(service)] == [("evening", "editor"), ("morning", "editor")]
    desk.post(f"{path}/grant", {"newsletter": "morning", "role": "publisher"}, of=path)
    desk.post(f"{path}/revoke", {"newsletter": "evening"}, of=path)
    answer = desk.post(f"{path}/grant", {"newsletter": "*", "role": "viewer"}, of=path)
    assert answer.headers["location"] == f"/desk{path}?done=changed"
    assert [(each.slug, each.role) for each in held(service)] == [(None, "viewer"), ("morning", "publisher")]
    headline = desk.page(path).css_first("h1").text()
    assert headline.startswith(f"{EVE} publishes ")
    assert headline.endswith(" and sees all newsletters")
    for fields in ({"newsletter": "nowhere", "role": "viewer"}, {"newsletter": "*", "role": "owner"}):
        assert desk.post(f"{path}/grant", fields, of=path).status_code in (404, 422)


def test_the_last_administrator_can_neither_go_nor_be_demoted(service, sign_in):
    desk = sign_in()
    path = f"/operators/{desk.operator_id}"
    for action, fields in (
        ("remove", {}),
        ("revoke", {"newsletter": "*"}),
        ("grant", {"newsletter": "*", "role": "editor"}),
    ):
        answer = desk.post(f"{path}/{action}", fields, of=path)
        assert (answer.status_code, "last administrator" in answer.text) == (400, True)
    assert desk.get("/operators").status_code == 200


def test_a_demoted_administrator_loses_the_pages_at_once(service, sign_in):
    first, second = sign_in(), sign_in()
    path = f"/operators/{second.operator_id}"
    assert second.get("/operators").status_code == 200
    first.post(f"{path}/grant", {"newsletter": "*", "role": "viewer"}, of=path)
    assert second.get("/operators").status_code == 403


def test_ended_sessions_and_removal_sign_an_operator_out(service, sign_in):
    desk, other, third = sign_in(), sign_in(Role.EDITOR), sign_in(Role.EDITOR)
    path = f"/operators/{other.operator_id}"
    assert "Another program" in desk.page(path).css_first("main").text()
    desk.post(f"{path}/end-sessions", of=path)
    assert other.get(follow_redirects=False).status_code == 303
    assert "signed in nowhere" in desk.page(path).css_first("main").text()
    path = f"/operators/{third.operator_id}"
    answer = desk.post(f"{path}/remove", of=f"{path}/remove")
    assert answer.headers["location"] == "/desk/operators?done=removed"
    assert third.get(follow_redirects=False).status_code == 303
    assert desk.get(path).status_code == 404
    assert desk.post(f"{path}/remove", of="/operators").status_code == 404


def test_a_new_link_ends_older_ones(service, sign_in, visit):
    desk = sign_in()
    answer, path = add(desk)
    first = desk.page(answer.headers["location"].removeprefix("/desk")).css_first("code").text()
    desk.post(f"{path}/link", of=path)
    assert visit().browser.get(first).status_code == 410


def test_names_are_text_wherever_they_are_shown(service, sign_in):
    desk, script = sign_in(), "<script>alert(1)</script>"
    with service.site.database.writing() as session:
        operators.numbered(session, desk.operator_id).name = script
    for path in ("/operators", f"/operators/{desk.operator_id}", f"/operators/{desk.operator_id}/remove", "/audit-log"):
        assert script not in desk.get(path).text


def test_an_operator_that_does_not_exist_is_not_found(service, sign_in):
    desk = sign_in()
    for number in ("0", "99", "x", "%00", "9" * 30):
        assert desk.get(f"/operators/{number}").status_code == 404
