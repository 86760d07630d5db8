"""Signs that a program filled in a form are noted with the sign-up, and change nothing that anybody sees."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter.consent.limits import form_signs
from newsletter.consent.limits.form_signs import YOUNGEST, Doubt
from newsletter.consent.limits.proof_of_work import FIELD
from newsletter.consent.signups.signups import Signup, SignupState
from newsletter.web.public.forms import form_times
from tests.builders import KEYRING, a_signup
from tests.clock import NOON
from tests.whole_service import WholeService, whole_service

YEAR = timedelta(days=365)


@pytest.fixture
def service(sqlite_url, tmp_path) -> Iterator[WholeService]:
    with whole_service(sqlite_url, tmp_path) as service:
        service.newsletter()
        yield service


def stamped(service: WholeService, *, ago: timedelta) -> str:
    return form_times.stamp(service.site.keyring, now=service.clock() - ago)


def doubt(service: WholeService) -> str | None:
    """Return the doubt about the newest sign-up."""
    with service.site.database.reading() as session:
        return session.scalars(select(Signup.doubt).order_by(Signup.id.desc()).limit(1)).one()


def test_each_form_is_accepted_alike_and_its_signs_are_noted(service):
    ours, answers = stamped(service, ago=timedelta(seconds=1)), set()
    for fields, noted in [
        ({}, None),
        ({"website": "https://spam.example"}, Doubt.TRAP),
        ({"website": "x", "shown_at": ours}, Doubt.TRAP),
        ({"shown_at": ours}, Doubt.YOUNG),
        ({"shown_at": stamped(service, ago=YOUNGEST)}, None),
        ({"shown_at": stamped(service, ago=YEAR)}, None),
        ({"shown_at": stamped(service, ago=-YEAR)}, None),
        ({"shown_at": ours[:-1] + "!"}, None),
        ({"shown_at": ours.replace("k1.", "k9.")}, None),
        ({"shown_at": "k1." + "9" * 40 + ".x"}, None),
        ({"shown_at": ""}, None),
    ]:
        posted = {**service.form(), "shown_at": "", "email": "ana@example.org", **fields}
        answer = service.browser.post("/subscribe", data=posted, headers={"Accept": "application/json"})
        answers.add((answer.status_code, answer.json()["message"], *answer.json()))
        assert doubt(service) == noted, fields
    assert len(answers) == 1
    assert answers.pop()[0] == 202


def test_a_hosted_form_hides_the_trap_names_its_time_and_is_never_young(service):
    form = LexborHTMLParser(service.browser.get("/n/morning").text).css_first("main form")
    trap = form.css_first(f"[hidden] input[name={form_signs.TRAP_FIELD}]")
    assert trap.attributes.keys() >= {"tabindex", "autocomplete"}
    assert service.sign_up("ana@example.org").status_code == 202
    assert doubt(service) is None


def test_a_public_page_stays_the_same_for_five_minutes(service):
    service.clock.advance(seconds=3)
    tag = service.browser.get("/n/morning").headers["etag"]
    for minutes, status in [(4.9, 304), (0.2, 200)]:
        service.clock.advance(minutes=minutes)
        assert service.browser.get("/n/morning", headers={"If-None-Match": tag}).status_code == status


@given(st.integers(0, 2 * 10**9), st.integers(-(10**6), 10**6))
def test_a_time_is_read_as_it_was_written_and_a_public_pages_is_never_young(second, later):
    now = NOON.fromtimestamp(second, NOON.tzinfo)
    read_at = now + timedelta(seconds=later)
    assert form_times.age(KEYRING, form_times.stamp(KEYRING, now=now), now=read_at) == timedelta(seconds=later)
    if later >= 0:
        age = form_times.age(KEYRING, form_times.stamp_of_public_page(KEYRING, now=now), now=read_at)
        assert form_signs.doubt_of(trap="", age=age) is None


def test_only_while_limits_hold_sign_ups_up_does_the_page_ask_for_work_and_let_scripts_run(service):
    newsletter = service.newsletter("evening", signup_thanks_url="https://press.example/thanks")
    quiet = service.browser.get("/n/evening")
    with service.site.database.writing() as session:
        a_signup(session, newsletter, state=SignupState.QUIET, slow_lane_at=NOON)
    service.let_the_site_read_newsletters_again()
    for path in ("/n/evening", "/"):
        page = service.browser.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "https://press.example" in policy
        assert ("data-challenge" in page.text) == (path != "/"), "there is no form of several"
    assert service.browser.get("/n/evening/form").json()["challenge"] is True
    assert "script-src" not in quiet.headers["content-security-policy"]
    assert "<script" not in quiet.text


def test_what_cannot_be_a_solution_is_not_stored(service):
    for posted in ("", "A" * 2001, "not base64", "A\x00", "é"):
        assert service.sign_up("ana@example.org", **{FIELD: posted}).status_code == 202, posted
    service.sign_up("ana@example.org", **{FIELD: "QUJD" * 200})
    with service.site.database.reading() as session:
        assert list(session.scalars(select(Signup.solution).order_by(Signup.id))) == [None] * 5 + ["QUJD" * 200]


def test_a_challenge_is_new_each_time_and_stored_nowhere(service):
    before = service.rows()
    one, other = (service.browser.get("/challenge") for _ in range(2))
    assert one.json()["signature"] != other.json()["signature"]
    assert one.headers["cache-control"] == "no-store"
    assert service.rows() == before
