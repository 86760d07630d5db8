"""Signing in through a real OpenID provider on loopback, and linking accounts there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from newsletter import audit_log
from newsletter.links import Purpose
from newsletter.operators import identities, operator_links, operators, totp
from newsletter.operators.identities import Identity
from newsletter.operators.operator_links import LinkPurpose, OperatorLink
from newsletter.operators.operators import Operator
from newsletter.operators.roles import Role
from newsletter.operators.sessions import OperatorSession
from tests.local_http import local_http
from tests.web.desk.conftest import Visitor
from tests.whole_service import WholeService, whole_service

ANN = "ann@press.example"
CALLBACK = "/desk/sign-in/provider/callback"

# The provider uses what newer releases of its own libraries do otherwise.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def service(sqlite_url, tmp_path, provider) -> Iterator[WholeService]:
    settings = {"oidc_issuer": provider.issuer, "oidc_client_id": "desk", "oidc_client_secret": "s3cret"}
    with whole_service(sqlite_url, tmp_path, oidc_name="Example Press", **settings) as service:
        service.clock.time = datetime.now(UTC)  # the provider has no other clock
        yield service


def invite(service, address: str = ANN) -> int:
    """Add an operator with an open invitation and no password; return the id."""
    with service.site.database.writing() as session:
        operator = operators.add(session, address, role=Role.EDITOR, actor="tests", now=service.clock())
        operator_links.make(session, operator, LinkPurpose.INVITATION, actor="tests", now=service.clock())
        return operator.id


def go_there(visitor: Visitor, provider, subject: str | None, start: str = "/desk/sign-in/provider") -> str:
    """Follow the link to the provider and sign in there; return where it leads back to."""
    asked = visitor.browser.get(start, follow_redirects=False)
    assert asked.status_code == 303, asked.text
    back = provider.authorize(asked.headers["location"], subject)
    assert back.startswith(f"http://localhost{CALLBACK}?")
    return back


def press(visitor: Visitor, back: str, **changes: str):
    """Open the page that the provider leads back to, and press its button."""
    answer = visitor.browser.get(back)
    assert answer.status_code == 200, answer.text
    return visitor.send(CALLBACK, LexborHTMLParser(answer.text), changes)


def through(visitor: Visitor, provider, subject: str, start: str = "/desk/sign-in/provider"):
    return press(visitor, go_there(visitor, provider, subject, start))


def linked(service) -> list[tuple[int, str]]:
    with service.site.database.reading() as session:
        return [(each.operator_id, each.subject) for each in session.scalars(select(Identity).order_by(Identity.id))]


def headline(answer) -> str:
    return LexborHTMLParser(answer.text).css_first("h1").text()


def test_the_sign_in_page_offers_the_provider_and_keeps_the_wanted_page(service, provider, visit):
    invite(service)
    account = provider.add(email="Ann@Press.example", email_verified=True)
    visitor = visit()
    page = LexborHTMLParser(visitor.browser.get("/desk/sign-in?to=/desk/account").text)
    (link,) = [each for each in page.css("a") if "Sign in with Example Press" in each.text()]
    answer = through(visitor, provider, account, link.attributes["href"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/account")
    assert "through your organization" in visitor.browser.get("/desk/account").text


def test_an_invitation_is_used_up_once_by_a_verified_address_and_the_account_stays(service, provider, visit):
    ann = invite(service)
    account = provider.add(email=ANN, email_verified=True)
    assert through(visit(), provider, account).status_code == 303
    assert linked(service) == [(ann, account)]
    with service.site.database.reading() as session:
        assert session.scalars(select(OperatorLink)).one().used_at == service.clock()
        assert audit_log.last(session, subject=f"operator:{ann}", verb="operator's identity linked")
    other = provider.add(email=ANN, email_verified=True)
    answer = through(visit(), provider, other)
    assert (answer.status_code, headline(answer)) == (403, "You are not signed in")
    assert through(visit(), provider, account).status_code == 303
    assert linked(service) == [(ann, account)]


@pytest.mark.slow
def test_the_page_of_an_invitation_offers_the_provider(service, provider, visit):
    invite(service)
    with service.site.database.reading() as session:
        link = session.scalars(select(OperatorLink.id)).one()
    token = service.site.links.token(Purpose.OPERATOR_LINK, link)
    page = LexborHTMLParser(visit().browser.get(f"/desk/link/{token}").text)
    assert page.css("main a[href='/desk/sign-in/provider']")


@pytest.mark.slow
def test_the_address_may_change_at_the_provider_once_the_account_is_linked(service, provider, visit):
    invite(service)
    account = provider.add(email=ANN, email_verified=True)
    through(visit(), provider, account)
    provider.change(account, email="ann@elsewhere.example")
    assert through(visit(), provider, account).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"email": ANN},
        {"email": ANN, "email_verified": False},
        {"email": ANN, "email_verified": "true"},
        {"email": "stranger@elsewhere.example", "email_verified": True},
        {},
    ],
    ids=str,
)
def test_nobody_gets_in_without_a_verified_address_that_was_invited(service, provider, visit, claims):
    invite(service)
    before = service.rows()
    visitor = visit()
    answer = through(visitor, provider, provider.add(**claims))
    assert (answer.status_code, headline(answer)) == (403, "You are not signed in")
    assert "No operator signs in with this account" in answer.text
    assert visitor.browser.get("/desk", follow_redirects=False).headers["location"].startswith("/desk/sign-in")
    assert service.rows() == before


def test_an_expired_invitation_and_an_operator_with_a_password_are_not_linked(service, provider, visit, operator):
    invite(service)
    operator("old@press.example")
    service.clock.advance(hours=25)
    for address in (ANN, "old@press.example"):
        account = provider.add(email=address, email_verified=True)
        service.clock.time = datetime.now(UTC)
        with service.site.database.writing() as session:
            for link in session.scalars(select(OperatorLink)):
                link.expires_at = service.clock() - timedelta(seconds=1)
        assert through(visit(), provider, account).status_code == 403
    assert linked(service) == []


def test_an_operator_who_has_signed_in_links_the_account_of_the_same_address(service, provider, sign_in, visit):
    desk = sign_in(Role.EDITOR, address=ANN)
    account = provider.add(email=ANN, email_verified=True)
    visitor = Visitor(desk.browser)
    for notice in ("identity-linked", "identity-known"):
        answer = through(visitor, provider, account, "/desk/account/identities/new")
        assert answer.headers["location"] == f"/desk/account?done={notice}"
    assert linked(service) == [(desk.operator_id, account)]
    assert "The account is linked" in desk.get("/account?done=identity-linked").text
    assert through(visit(), provider, account).headers["location"] == "/desk"


def test_an_account_that_belongs_to_another_operator_is_not_linked(service, provider, sign_in):
    desk, colleague = sign_in(Role.EDITOR, address=ANN), sign_in(Role.EDITOR, address="bob@press.example")
    bobs = provider.add(email="bob@press.example", email_verified=True)
    for _ in range(2):  # before and after Bob has linked it
        answer = through(Visitor(desk.browser), provider, bobs, "/desk/account/identities/new")
        assert (answer.status_code, headline(answer)) == (403, "The account is not linked")
        assert "belongs to another operator" in answer.text
        through(Visitor(colleague.browser), provider, bobs, "/desk/account/identities/new")
    assert linked(service) == [(colleague.operator_id, bobs)]
    for claims, words in (
        ({"email": "ann@elsewhere.example", "email_verified": True}, "another address"),
        ({"email": ANN}, "does not say that it has verified"),
    ):
        answer = through(Visitor(desk.browser), provider, provider.add(**claims), "/desk/account/identities/new")
        assert words in answer.text
    assert linked(service) == [(colleague.operator_id, bobs)]


@pytest.mark.slow
def test_linking_ends_with_the_session_that_began_it(service, provider, sign_in, visit):
    desk = sign_in(Role.EDITOR, address=ANN)
    visitor = Visitor(desk.browser)
    back = go_there(visitor, provider, provider.add(email=ANN, email_verified=True), "/desk/account/identities/new")
    desk.post("/sign-out", of="/account")
    answer = press(visitor, back)
    assert (answer.status_code, "You have signed out meanwhile" in answer.text) == (403, True)
    assert linked(service) == []


def test_an_operator_with_a_second_factor_is_asked_for_it_after_the_provider(service, provider, visit):
    ann = invite(service)
    account = provider.add(email=ANN, email_verified=True)
    through(visit(), provider, account)
    with service.site.database.writing() as session:
        operator = session.get_one(Operator, ann)
        totp.begin(operator, service.site.keyring)
        operator.totp_confirmed_at = service.clock()
    visitor = visit()
    answer = through(visitor, provider, account)
    assert answer.headers["location"].startswith("/desk/sign-in/code")
    assert visitor.browser.get("/desk", follow_redirects=False).headers["location"].startswith("/desk/sign-in")


@pytest.mark.slow
def test_a_button_pressed_twice_and_a_page_opened_again_sign_in_once(service, provider, visit):
    invite(service)
    visitor = visit()
    back = go_there(visitor, provider, provider.add(email=ANN, email_verified=True))
    page = LexborHTMLParser(visitor.browser.get(back).text)
    before = service.rows()
    visitor.browser.get(back)
    assert service.rows() == before, "opening the page changes nothing"
    assert [visitor.send(CALLBACK, page, {}).status_code for _ in range(2)] == [303, 303]
    assert visitor.browser.get(back, follow_redirects=False).headers["location"] == "/desk"
    with service.site.database.reading() as session:
        assert len(session.scalars(select(OperatorSession)).all()) == 1


def test_an_answer_counts_only_in_the_browser_that_asked_and_for_its_own_state(service, provider, visit):
    invite(service)
    victim, attacker = visit(), visit()
    back = go_there(attacker, provider, provider.add(email=ANN, email_verified=True))
    answer = victim.browser.get(back)
    assert (answer.status_code, "not begun in this browser" in answer.text) == (400, True)
    own = go_there(victim, provider, provider.add(email=ANN, email_verified=True))
    assert victim.browser.get(back).status_code == 400
    assert press(victim, own, state="forged").status_code == 400
    page = LexborHTMLParser(victim.browser.get(own).text)
    service.clock.advance(minutes=16)
    assert victim.send(CALLBACK, page, {}).status_code == 400
    assert linked(service) == []


def test_whoever_is_refused_at_the_provider_reads_so(service, provider, visit):
    visitor = visit()
    answer = visitor.browser.get(go_there(visitor, provider, None))
    assert (answer.status_code, "The provider did not sign you in" in answer.text) == (403, True)


@pytest.mark.slow
def test_a_forged_code_is_told_in_words(service, provider, visit):
    invite(service)
    visitor = visit()
    answer = press(visitor, go_there(visitor, provider, provider.add()), code="forged")
    assert (answer.status_code, "Please start again" in answer.text) == (502, True)


@pytest.mark.slow
def test_an_account_can_be_removed_unless_it_is_the_only_way_in(service, provider, sign_in, visit):
    desk = sign_in(Role.EDITOR, address=ANN)
    account = provider.add(email=ANN, email_verified=True)
    through(Visitor(desk.browser), provider, account, "/desk/account/identities/new")
    with service.site.database.reading() as session:
        (identity,) = identities.of_operator(session, desk.operator_id)
    stranger = sign_in(Role.ADMIN)
    number = {"identity": str(identity.id)}
    assert stranger.post("/account/identities/remove", number, of="/account").status_code == 404
    answer = desk.post("/account/identities/remove", number, of="/account")
    assert (answer.status_code, "your only way in" in answer.text) == (400, True)
    with service.site.database.writing() as session:
        session.get_one(Operator, desk.operator_id).password_hash = "set"
    answer = desk.post("/account/identities/remove", number, of="/account")
    assert answer.headers["location"] == "/desk/account?done=identity-removed"
    assert linked(service) == []
    assert desk.post("/account/identities/remove", number, of="/account").status_code == 404
    assert through(visit(), provider, account).status_code == 403


def test_a_provider_that_is_away_is_told_in_words(sqlite_url, tmp_path):
    with local_http() as away:
        issuer = away.url("")
    with whole_service(sqlite_url, tmp_path, oidc_issuer=issuer, oidc_client_id="desk") as service:
        answer = service.browser.get("/desk/sign-in/provider")
        assert (answer.status_code, headline(answer)) == (502, "You are not signed in")
        assert "does not answer" in answer.text


def test_without_a_provider_in_the_settings_there_is_no_such_page(sqlite_url, tmp_path):
    with whole_service(sqlite_url, tmp_path) as service:
        assert service.browser.get("/desk/sign-in/provider").status_code == 404
        assert "Sign in with your organization" not in service.browser.get("/desk/sign-in").text
