"""POST /subscribe and the sign-up pages."""

import json
import re

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from newsletter import newsletters, templating
from newsletter.consent.ledger.ledger import Evidence
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.consent.wordings import wording_publication
from newsletter.queues.wakeups import Queue
from tests.servers.schema import migrate
from tests.statements import executed
from tests.whole_service import WholeService, whole_service

GOOD = "ana@example.org"


@pytest.fixture(autouse=True)
def _newsletter(service: WholeService):
    service.newsletter()


def untouched(service: WholeService) -> bool:
    rows = service.rows()
    service.run()
    return not any(rows[name] for name in ("signups", "subscribers", "ledger", "letters")) and not service.letters()


def test_a_sign_up_writes_one_row_and_nothing_else(service):
    before = service.rows()
    answer = service.sign_up(GOOD, name="Ana")
    after = service.rows()
    assert answer.status_code == 202
    assert "inbox" in answer.text
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"signups"}
    assert len(after["signups"]) == 1


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_a_program_signs_up_with_json(service, kind):
    form = service.form()
    body = {**form, "newsletters": ["morning"], "consent": True, "wording": int(form["wording"]), "email": GOOD}
    answer = service.browser.post("/subscribe", content=json.dumps(body), headers={"Content-Type": kind})
    assert answer.status_code == 202
    assert answer.json().keys() == {"message"}


def visit(service: WholeService, email: str, as_json: bool) -> tuple[int, str, list[tuple[str, str]], list[str]]:
    """Sign up; return status, headers, statements, and the body without what the visitor entered: it is shown back."""
    form = service.form()
    accept = {"accept": "application/json" if as_json else "text/html"}
    with executed(service.site.database) as statements:
        response = service.browser.post("/subscribe", data={**form, "email": email}, headers=accept)
    body = re.sub(r'(?<=name="replaces" value=")[^"]*', "", response.text).replace(email, "")
    headers = sorted((name, value) for name, value in response.headers.items() if name != "content-length")
    return response.status_code, body, headers, list(statements)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_answer_is_the_same_for_everybody(service, as_json):
    """Whoever is new, pending, subscribed, gone, refuses all mail or waits for their turn."""
    addresses = {name: f"{name}@example.org" for name in ("new", "pending", "subscribed", "left", "never", "slow")}
    for name in ("subscribed", "left"):
        service.reader(addresses[name])
    service.sign_up(addresses["never"])
    service.sign_up(addresses["pending"])
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=addresses["never"])
    assert service.browser.post(service.link(letter, "never"), data={"never": "yes"}).status_code == 200
    (letter,) = service.letters(to=addresses["left"])
    assert service.browser.post(service.link(letter, "u"), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    service.sign_up(addresses["slow"])
    with service.site.database.writing() as session:
        session.execute(
            update(Signup)
            .where(Signup.address_key == addresses["slow"])
            .values(state=SignupState.QUIET, slow_lane_at=service.clock())
        )
    answers = {name: visit(service, address, as_json) for name, address in addresses.items()}
    status, _, _, statements = answers["new"]
    assert status == 202
    assert len([each for each in statements if each != "BEGIN IMMEDIATE"]) == 1
    assert all(answer == answers["new"] for answer in answers.values())


def test_a_sign_up_is_answered_503_while_the_database_is_away(restartable_postgresql, tmp_path):
    migrate(restartable_postgresql.url)
    with whole_service(restartable_postgresql.url, tmp_path) as service:
        service.newsletter()
        form = service.form()
        restartable_postgresql.kill()
        for _ in range(2):
            assert service.browser.post("/subscribe", data={**form, "email": GOOD}).status_code == 503
        restartable_postgresql.start()
        assert service.browser.post("/subscribe", data={**form, "email": GOOD}).status_code == 202
        assert len(service.rows()["signups"]) == 1


def test_a_malformed_address_is_refused_and_nothing_is_stored(service):
    body = {**service.form(), "newsletters": ["morning"]}
    for email in ("", "ana", "ana@", "ana@example", "a b@example.org", f"Ana <{GOOD}>", "ana@[127.0.0.1]", "a@b@c.org"):
        answer = service.browser.post("/subscribe", json={**body, "email": email})
        assert answer.status_code == 422, email
        assert answer.json()["errors"].keys() == {"email"}, email
    assert untouched(service)


INVALID = [
    ("consent", None),
    ("consent", "false"),
    ("consent", False),
    ("newsletters", ["evening"]),
    ("newsletters", []),
    ("wording", 999),
    ("wording", 0),
    ("form", 0),
    ("wording", "one"),
    ("form", "0" * 64),
    ("name", "Ana\nBcc: x@example.org"),
    ("name", "Ana\x00"),
    ("name", "=?utf-8?q?Ana?="),
    ("name", "a" * 201),
    ("language", "klingon language"),
    ("timezone", "Mars/Olympus"),
    ("email", {"address": GOOD}),
]


def test_an_address_from_a_japanese_keyboard_is_shown_and_proved_as_the_one_that_the_letter_goes_to(service):
    page = service.sign_up("ａｎａ＠ｅｘａｍｐｌｅ．ｏｒｇ\u200b")  # noqa: RUF001
    assert (page.status_code, GOOD in LexborHTMLParser(page.text).text()) == (202, True)
    service.run(Queue.URGENT)
    (letter,) = service.letters(to=GOOD)
    service.browser.post(service.link(letter, "confirm"), data={"confirm": "yes"})
    with service.site.database.reading() as session:
        stored = [json.loads(body)["address"] for body in session.scalars(select(Evidence.body))]
    assert set(stored) == {GOOD}


def test_an_invalid_field_is_named_and_nothing_is_stored(service):
    valid = {**service.form(), "newsletters": ["morning"], "email": GOOD}
    for field, value in INVALID:
        answer = service.browser.post("/subscribe", json={**valid, field: value})
        assert 400 <= answer.status_code < 500, (field, value)
        assert field in answer.json()["errors"], (field, value)
    assert untouched(service)


def test_the_form_is_shown_again_with_the_entered_values_and_links_to_wrong_fields(service):
    answer = service.browser.post("/subscribe", data={**service.form(), "consent": "", "email": "garden.gate@post"})
    assert answer.status_code == 422
    assert 'value="garden.gate@post"' in answer.text
    assert 'href="#email"' in answer.text
    assert 'href="#consent"' in answer.text
    assert untouched(service)


def test_entered_values_are_shown_escaped(service):
    answer = service.browser.post("/subscribe", data={**service.form(), "email": '"><script>alert(1)</script>'})
    assert "<script>" not in answer.text


@pytest.mark.parametrize("kind", ["form", "json", "multipart"])
def test_a_body_of_ten_megabytes_is_refused(service, kind):
    large = "a" * 10_000_000
    form = {**service.form(), "email": GOOD, "name": large}
    match kind:
        case "form":
            answer = service.browser.post("/subscribe", data=form)
        case "json":
            answer = service.browser.post(
                "/subscribe", content=json.dumps(form), headers={"content-type": "application/json"}
            )
        case _:
            answer = service.browser.post(
                "/subscribe", files={name: (None, str(value)) for name, value in form.items()}
            )
    assert answer.status_code == 413
    assert untouched(service)


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 60_000])
def test_a_body_that_is_no_json_object_is_refused(service, body):
    answer = service.browser.post("/subscribe", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert untouched(service)


def test_consent_is_never_ticked_in_advance(service):
    assert "checked" not in service.browser.get("/n/morning").text


def test_a_wording_for_one_newsletter_is_no_consent_to_another(service):
    service.newsletter("evening")
    body = {**service.form("morning"), "newsletters": ["morning", "evening"], "email": GOOD}
    answer = service.browser.post("/subscribe", json=body)
    assert answer.json()["errors"].keys() == {"wording"}
    assert untouched(service)


def test_a_form_opened_before_a_new_wording_was_published_is_accepted(service):
    old = service.form()
    with service.site.database.writing() as session:
        newsletter = newsletters.named(session, "morning")
        wording_publication.publish(
            session,
            templating.environment,
            newsletter,
            text="Other words, same meaning.",
            actor="tests",
            now=service.clock(),
        )
    service.let_the_site_read_newsletters_again()
    assert "Other words" in service.browser.get("/n/morning").text
    assert service.browser.post("/subscribe", data={**old, "email": GOOD}).status_code == 202
    with service.site.database.reading() as session:
        assert session.query(Signup).one().wording_id == int(old["wording"])


def test_the_home_page_is_the_only_newsletter_or_a_list_of_several(service):
    assert 'action="/subscribe"' in service.browser.get("/").text
    service.newsletter("evening")
    page = service.browser.get("/").text
    assert "/n/morning" in page
    assert "/n/evening" in page


def test_an_unknown_newsletter_has_no_page(service):
    assert service.browser.get("/n/nothing").status_code == 404


def test_a_sign_up_that_fails_does_not_delay_the_next(service):
    service.sign_up("first@example.org")
    service.sign_up("second@example.org")
    with service.site.database.writing() as session:
        first = session.query(Signup).order_by(Signup.id).first()
        first.newsletters = "nonsense"
    service.run(Queue.URGENT)
    assert [letter["To"] for letter in service.letters()] == ["second@example.org"]
    with service.site.database.reading() as session:
        assert [row.state for row in session.query(Signup).order_by(Signup.id)] == [
            SignupState.FAILED,
            SignupState.ASKED,
        ]


def test_who_opens_the_page_after_a_sign_up_again_is_led_to_the_form(service):
    answer = service.browser.get("/subscribe", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
