"""Who may open which page of the desk."""

from newsletter.operators.roles import Role
from tests.statements import executed


def test_the_desk_opens_for_an_operator_and_leads_everybody_else_to_sign_in(service, sign_in):
    answer = service.browser.get("/desk", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in?to=%2Fdesk")
    assert sign_in(Role.VIEWER).get().status_code == 200


def test_a_form_from_elsewhere_is_refused_and_changes_nothing(service, sign_in):
    desk = sign_in(Role.ADMIN)
    token = desk.form_token()
    for headers, data in (
        ({"Origin": "https://evil.example"}, {"form_token": token}),
        ({"Origin": "null"}, {}),
        ({"Origin": "http://["}, {"form_token": token}),
        ({}, {"form_token": "forged"}),
    ):
        answer = desk.browser.post("/desk/sign-out", data=data, headers=headers, follow_redirects=False)
        assert answer.status_code == 403
    for fields in ({"form_token": []}, {"form_token": token, "name": [], "zone": []}):
        answer = desk.browser.post("/desk/account", json=fields, follow_redirects=False)
        assert answer.status_code == (303 if "name" in fields else 403)
    assert desk.get().status_code == 200
    answer = desk.post("/sign-out", headers={"Origin": "null"})
    assert answer.headers["location"] == "/desk/sign-in?done=signed-out"
    assert desk.get(follow_redirects=False).status_code == 303


def test_entering_a_page_takes_one_statement(service, sign_in):
    service.newsletter()
    desk = sign_in(Role.ADMIN, "morning")
    desk.get()  # the site remembers its newsletters
    with executed(service.site.database, reading=True) as statements:
        assert desk.get("/account/password").status_code == 200
    assert len([each for each in statements if each != "BEGIN"]) == 1, statements
