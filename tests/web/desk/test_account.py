"""One's own account: name, time zone and password."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from newsletter.operators.roles import Role
from newsletter.web.desk.account.device_names import device_name
from tests.web.desk.conftest import PASSWORD

ANN = "ann@press.example"


def test_name_and_zone_are_changed_by_everybody_and_the_audit_log_holds_no_name(service, sign_in):
    service.newsletter("morning")
    for slugs in ((), ("morning",)):
        desk = sign_in(Role.VIEWER, *slugs)
        answer = desk.post("/account", {"name": " Ann  Example ", "zone": "America/Lima"}, of="/account")
        page = desk.page(answer.headers["location"].removeprefix("/desk"))
        assert page.css_first(".notice").text().strip() == "Name and time zone are saved."
        assert page.css_first("#name").attributes["value"] == "Ann Example"
        assert "America/Lima" in page.css_first("footer").text()
    (entry, _) = [row for row in service.rows()["acts"] if "operator's account changed" in row]
    assert "Ann" not in str(entry)


WRONG_ACCOUNTS = [
    ({"name": "Ann", "zone": "berlin"}, "zone", "Europe/Berlin"),
    ({"name": "A" * 201, "zone": ""}, "name", "at most 200"),
    ({"name": "Ann\nBcc: x", "zone": "x\x00"}, "zone", "not a time zone"),
]


def test_a_refused_account_is_shown_with_what_was_entered_and_the_error_beside_the_field(sign_in):
    desk = sign_in()
    for fields, field, says in WRONG_ACCOUNTS:
        answer = desk.post("/account", fields, of="/account")
        page = LexborHTMLParser(answer.text)
        assert answer.status_code == 422
        assert says in page.css_first(f"#{field}-error").text()
        assert page.css_first(".notice a").attributes["href"] == f"#{field}"
    assert desk.page("/account").css_first("#name").attributes.get("value") is None


GOOD = "amber quarry lantern 9"
WRONG_PASSWORDS = [
    ("not it", GOOD, GOOD, "present_password", "not your present"),
    ("", GOOD, GOOD, "present_password", "Enter your present"),
    (PASSWORD, "short", "short", "new_password", "at least 12"),
    (PASSWORD, "password12345", "password12345", "new_password", "commonly used"),
    (PASSWORD, ANN, ANN, "new_password", "another password"),
    (PASSWORD, "x" * 257, "x" * 257, "new_password", "at most 256"),
    (PASSWORD, GOOD, "amber quarry lantern 8", "new_password_again", "same way twice"),
]


def test_a_new_password_is_refused_with_the_reason_beside_its_field(operator, visit):
    operator(ANN)
    visitor = visit()
    visitor.sign_in(ANN)
    page = LexborHTMLParser(visitor.browser.get("/desk/account/password").text)
    for present, new, again, field, says in WRONG_PASSWORDS:
        fields = {"present_password": present, "new_password": new, "new_password_again": again}
        answer = visitor.send("/desk/account/password", page, fields)
        assert answer.status_code == 422
        assert says in LexborHTMLParser(answer.text).css_first(f"#{field}-error").text()
        assert f'value="{new}"' not in answer.text.replace('name="username" value', "")


def test_who_has_no_password_is_told_how_to_get_one(sign_in):
    desk = sign_in()
    assert "through your organization" in desk.page("/account").css_first("h1").text()
    assert "needs a password" in desk.page("/account/second-factor").css_first("h1").text()
    answer = desk.post("/account/second-factor/begin", {"password": "x"}, of="/account/second-factor")
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140.0 Safari/537 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537", "Chrome on Android"),
        ("curl/8.5", "Another program"),
        ("<script>", "Another program"),
        ("", "Another program"),
    ],
)
def test_a_device_is_named_by_its_browser_and_system(agent, name):
    assert device_name(agent) == name
