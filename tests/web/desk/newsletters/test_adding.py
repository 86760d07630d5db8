"""Newsletters at the desk: the list, and adding one."""

from sqlalchemy import func, select

from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from tests.statements import executed
from tests.web.desk.newsletters.texts import FIELDS, text


def test_an_empty_desk_says_what_will_be_here_and_how_it_gets_here(service, sign_in):
    page = sign_in(Role.ADMIN).page("/newsletters")
    assert text(page, "h1") == ["There are no newsletters yet"]
    assert page.css_first(".empty a").attributes["href"] == "/desk/newsletters/new"
    assert not sign_in(Role.EDITOR).page("/newsletters").css(".empty a"), "an editor cannot add one"


def test_adding_twice_adds_one(service, sign_in):
    desk = sign_in(Role.ADMIN)
    answers = [desk.post("/newsletters/new", FIELDS, of="/newsletters/new") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 422]
    assert "exists already" in answers[1].text
    with service.site.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Newsletter)) == 1


def test_a_newsletter_can_be_seen_before_it_is_added(service, sign_in):
    desk, rows = sign_in(Role.ADMIN), service.rows()
    for kind, seen in (("letter", "aa2200"), ("page", "(Example Press, 1 Street, 00000 Town)")):
        path = f"/newsletters/new/preview/{kind}"
        answer = desk.post(path, FIELDS, of="/newsletters/new")
        assert answer.status_code == 200
        assert "The Dawn Letter" in answer.text
        assert seen in answer.text
        assert "sandbox" in answer.headers["content-security-policy"]
        assert desk.post(path, {**FIELDS, "publisher": ""}, of="/newsletters/new").status_code == 422
    assert desk.get("/newsletters/new/preview/letter").status_code == 200
    assert service.rows() == rows


def test_every_wrong_field_is_told_beside_it_and_nothing_is_lost(service, sign_in):
    desk = sign_in(Role.ADMIN)
    wrong = {"name": "", "sender": "letters", "zone": "Berlin", "description": "<b>Bold</b>\x07", "slug": "ÄÖ"}
    answer = desk.post("/newsletters/new", {**FIELDS, **wrong}, of="/newsletters/new")
    assert answer.status_code == 422
    for field in ("name", "sender", "zone", "description"):
        assert f'id="{field}-error"' in answer.text
    assert "Europe/Berlin?" in answer.text
    assert "&lt;b&gt;Bold" in answer.text
    assert 'value="1 Street, 00000 Town"' in answer.text
    reserved = desk.post("/newsletters/new", {**FIELDS, "slug": "new"}, of="/newsletters/new")
    assert 'id="slug-error"' in reserved.text
    assert desk.page("/newsletters").css(".empty")


def test_a_path_that_names_no_newsletter_leads_nowhere(service, sign_in):
    desk = sign_in(Role.ADMIN)
    for path in ("none", "%00", "A", "x" * 300, "none/settings", "none/wordings/en", "none/domain"):
        assert desk.get(f"/newsletters/{path}").status_code == 404


def test_a_page_of_all_newsletters_needs_the_same_statements_for_many(service, sign_in):
    for number in range(8):
        service.newsletter(f"letter-{number}")
    desk = sign_in(Role.VIEWER)
    with executed(service.site.database, reading=True) as counted:
        desk.page("/newsletters")
    assert 3 < len(counted) <= 14
