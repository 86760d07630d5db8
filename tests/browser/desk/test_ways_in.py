"""The ways into the desk in a real browser: a forgotten password, an ended session, a provider, two processes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter.keys import load_keyring
from newsletter.links import Links, Purpose
from newsletter.operators import operator_links, operators, sessions
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.settings import load
from newsletter.store.database import Database
from newsletter.web.site import Site
from tests.browser.chromium import follow
from tests.browser.desk.conftest import ADDRESS, PASSWORD, SENT_WITHIN, OpenDesk, accept_invitation, hand
from tests.browser.desk.hand import Hand
from tests.journeys.running_service import with_newsletter
from tests.processes import WEB, Process, is_ok, running
from tests.servers.openid_provider import LoopbackProvider
from tests.servers.server import free_port
from tests.waiting import eventually
from tests.whole_service import SECRET

pytestmark = pytest.mark.slow

NEW_PASSWORD = "another long sentence of mine"


class TestWithALetterhead:
    """The service has an address from which it writes to operators."""

    @pytest.fixture
    def desk_settings(self) -> dict[str, str]:
        return {"SERVICE_SENDER": "desk@press.example"}

    def test_a_forgotten_password_is_set_anew_through_the_letter(self, chromium: Browser, desk: OpenDesk):
        with hand(chromium, desk) as person:
            accept_invitation(person, desk)
            person.press("Sign out")
            person.press("Forgot your password?")
            person.fill("E-mail address", ADDRESS)
            follow(person.page.locator("main form button"))
            (letter,) = eventually(lambda: desk.letters(ADDRESS), within=SENT_WITHIN)
            words = letter.get_body(("plain",)).get_content().split()
            (link,) = [word for word in words if "/desk/link/" in word]
            person.page.goto(link)
            person.fill("New password", NEW_PASSWORD)
            follow(person.page.locator("main form button"))
            person.page.wait_for_url("**/desk*")
            person.press("Sign out")
            sign_in(person, PASSWORD)
            assert "/desk/sign-in" in person.page.url
            sign_in(person, NEW_PASSWORD)
            assert person.page.url.partition("?")[0].endswith("/desk")


def test_what_was_typed_outlives_the_session(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk) as person:
        accept_invitation(person, desk)
        person.page.goto("/desk/account")
        person.fill("Name", "Ana of the morning desk")
        end_sessions(desk.site)
        person.press("Save")
        person.fill("E-mail address", ADDRESS)
        person.fill("Password", PASSWORD)
        person.press("Sign in")
        assert "ended" in person.headline()
        follow(person.page.locator("main form button").first)
        person.page.wait_for_url("**/desk/account*")
        assert person.page.get_by_label("Name", exact=True).input_value() == "Ana of the morning desk"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the provider's libraries
class TestWithAProvider:
    """Operators may sign in with an account elsewhere."""

    @pytest.fixture
    def desk_settings(self, provider: LoopbackProvider) -> dict[str, str]:
        named = {"ISSUER": provider.issuer, "CLIENT_ID": "desk", "CLIENT_SECRET": "s3cret", "NAME": "Example Press"}
        return {f"OIDC_{name}": value for name, value in named.items()}

    def test_an_account_is_linked_by_the_invitation_and_signs_in(
        self, chromium: Browser, desk: OpenDesk, provider: LoopbackProvider
    ):
        subject = provider.add(email=ADDRESS, email_verified=True)
        with hand(chromium, desk) as person:
            for button in ("Sign in", "Sign in"):
                person.page.goto("/desk/sign-in")
                follow(person.page.get_by_role("link", name="Sign in with Example Press"))
                person.page.locator("input[name=sub]").fill(subject)
                follow(person.page.get_by_role("button", name="Authorize"))
                person.press(button)
                assert person.page.url.partition("?")[0].endswith("/desk")
                person.press("Sign out")


def test_two_processes_of_the_site_share_who_is_signed_in(
    chromium: Browser, postgresql_url: str, redis_url: str, tmp_path: Path
):
    ports = [free_port(), free_port()]
    sites = [f"http://127.0.0.1:{port}" for port in ports]
    values = {"DATABASE_URL": postgresql_url, "REDIS_URL": redis_url, "BASE_URL": sites[0], "SECRET_KEYS": SECRET}
    environment = {f"NEWSLETTER_{name}": value for name, value in {**values, "DATA_DIR": str(tmp_path)}.items()}
    webs = [
        Process(f"web{port}", [*WEB, "--host", "127.0.0.1", "--port", str(port)], environment, tmp_path)
        for port in ports
    ]
    with with_newsletter(postgresql_url) as database, running(*webs):
        for site in sites:
            eventually(lambda site=site: is_ok(f"{site}/health/ready"), within=60)
        invitation = Links(load_keyring(load(environment, dotenv=None)), sites[0]).url(
            Purpose.OPERATOR_LINK, invite(database)
        )
        context = chromium.new_context(base_url=sites[0], locale="en")  # cookies know no port
        person = Hand(context.new_page())
        person.page.goto(invitation)
        person.fill("New password", PASSWORD)
        follow(person.page.locator("main form button"))
        person.page.wait_for_url("**/desk*")
        person.page.goto(f"{sites[1]}/desk/account")
        person.fill("Name", "Ana")
        person.press("Save")
        person.page.goto(f"{sites[0]}/desk/account")
        assert person.page.get_by_label("Name", exact=True).input_value() == "Ana"
        person.press("Sign out")
        person.page.goto(f"{sites[1]}/desk")
        assert person.page.url.startswith(f"{sites[1]}/desk/sign-in")
        context.close()


def sign_in(person: Hand, password: str) -> None:
    person.page.goto("/desk/sign-in")
    person.fill("E-mail address", ADDRESS)
    person.fill("Password", password)
    person.press("Sign in")


def end_sessions(site: Site) -> None:
    with site.database.writing() as session:
        operator = operators.of_address(session, ADDRESS)
        sessions.end(session, operator.id, now=datetime.now(UTC))


def invite(database: Database) -> int:
    """Add an operator; return the id of the invitation."""
    now = datetime.now(UTC)
    with database.writing() as session:
        operator = operators.add(session, ADDRESS, role=Role.ADMIN, actor="tests", now=now)
        return operator_links.make(session, operator, LinkPurpose.INVITATION, actor="tests", now=now).id
