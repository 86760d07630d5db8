"""Operators choose which letters they get, on the page of their own account."""

from newsletter.operators import mail_switches
from newsletter.operators.mail_switches import NoticeKind
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role


def boxes(desk) -> dict[str, bool]:
    found = desk.page("/account").css("form[action='/desk/account/mail'] input[name=on]")
    return {str(each.attributes["value"]): "checked" in each.attributes for each in found}


def test_all_letters_are_on_until_they_are_switched_off(service, sign_in):
    desk = sign_in(Role.PUBLISHER)
    assert boxes(desk) == {"issue_waits": True, "issue_paused": True, "feed_failing": True}
    for _ in range(2):
        answer = desk.post("/account/mail", {"on": ["issue_paused", "forged"]}, of="/account")
        assert answer.headers["location"] == "/desk/account?done=mail-switched"
    assert boxes(desk) == {"issue_waits": False, "issue_paused": True, "feed_failing": False}
    desk.post("/account/mail", {}, of="/account")
    assert not any(boxes(desk).values())


def test_an_operator_is_asked_about_the_letters_of_their_role_only(service, sign_in):
    assert boxes(sign_in(Role.VIEWER)) == {}
    desk = sign_in(Role.EDITOR)
    assert list(boxes(desk)) == ["feed_failing"]
    desk.post("/account/mail", {}, of="/account")
    with service.site.database.reading() as session:
        operator = session.get_one(Operator, desk.operator_id)
        assert mail_switches.switched_on(operator) == {NoticeKind.ISSUE_WAITS, NoticeKind.ISSUE_PAUSED}
