"""Journeys at the desk in a real browser, with the real site and worker: from nothing to an issue that was sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pyotp
import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from newsletter.bench.visitor import Visitor
from newsletter.cli.serve import embedded_app, served
from newsletter.content.digests.digests import Digest
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.links import Purpose
from newsletter.mail.transport.outbox import Outbox
from newsletter.operators import operator_links, operators
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.settings import load
from newsletter.web.site import Site
from tests.browser.desk.hand import Hand
from tests.journeys.running_service import FEED, ITEM
from tests.local_http import local_http
from tests.servers.server import free_port
from tests.waiting import eventually
from tests.whole_service import SECRET

ADDRESS, PASSWORD = "ana@press.example", "correct horse battery staple"
READER = "reader@example.org"
TITLES = ("A bridge opens", "The bus waits")
MOST_FIELDS_AND_CLICKS = 25  # from after signing in to a scheduled digest
DESK = {"width": 1280, "height": 900}
TIMEOUT = 20_000  # milliseconds


@dataclass(frozen=True)
class OpenDesk:
    """A running service without anything in it but an invitation."""

    site: Site
    feed: str
    invitation: str
    outbox: Outbox

    def letters(self, to: str) -> list[EmailMessage]:
        """Return the letters to an address."""
        return [each.message for each in self.outbox.letters(limit=100) if to in each.message["To"]]

    def status(self) -> IssueStatus | None:
        """Return the status of the only issue."""
        with self.site.database.reading() as session:
            return session.scalar(select(Issue.status))

    def subscribe(self) -> None:
        """Let a reader sign up and confirm."""
        with httpx2.Client(base_url=self.site.settings.base_url, trust_env=False) as browser:
            visitor = Visitor(browser, Path())  # type: ignore[arg-type] - no inbox is read
            visitor.sign_up("morning-letter", READER, "")
            visitor.confirm(eventually(lambda: self.letters(READER), within=20)[0])


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path) -> Iterator[OpenDesk]:
    """A service on SQLite, with its worker in the same process."""
    port = free_port()
    with local_http() as feed:
        feed.put("/feed.xml", FEED.format("".join(ITEM.format(each, each.split()[1]) for each in TITLES)).encode())
        values = {
            "DATABASE_URL": sqlite_url,
            "BASE_URL": f"http://127.0.0.1:{port}",
            "SECRET_KEYS": SECRET,
            "DATA_DIR": str(tmp_path),
            "FEED_ALLOW": f"127.0.0.1:{feed.port}",
        }
        settings = load({f"NEWSLETTER_{name}": value for name, value in values.items()}, dotenv=None)
        with embedded_app(settings) as app, served(app, "127.0.0.1", port):
            site: Site = app.state.site
            yield OpenDesk(site, feed.url("/feed.xml"), _invitation(site), Outbox(tmp_path / "outbox"))


def _invitation(site: Site) -> str:
    now = datetime.now(UTC)
    with site.database.writing() as session:
        operator = operators.add(session, ADDRESS, role=Role.ADMIN, actor="tests", now=now)
        link = operator_links.make(session, operator, LinkPurpose.INVITATION, actor="tests", now=now)
    return site.links.url(Purpose.OPERATOR_LINK, link.id)


def require_codes(person: Hand) -> str:
    """Turn the second factor on; return the secret that the app learns.

    The code is the one before the current one, which is allowed for clocks that differ: each code counts once.
    """
    person.page.goto("/desk/account/second-factor")
    person.fill("Your password", PASSWORD)
    person.press("Go on")
    secret = person.page.locator("code").first.inner_text().replace(" ", "")
    person.fill("The code that the app shows now", pyotp.TOTP(secret).at(datetime.now(UTC) - timedelta(seconds=30)))
    person.press("Turn it on")
    return secret


@contextmanager
def hand(chromium: Browser, desk: OpenDesk, *, scripts: bool = True, mouse: bool = True) -> Iterator[Hand]:
    """Open a browser at the desk."""
    context = chromium.new_context(
        base_url=desk.site.settings.base_url, locale="en", viewport=DESK, java_script_enabled=scripts
    )
    context.set_default_timeout(TIMEOUT)
    yield Hand(context.new_page(), mouse)
    context.close()


def accept_invitation(person: Hand, desk: OpenDesk) -> None:
    """Open the link, choose a password, and stand on Today."""
    person.page.goto(desk.invitation)
    person.fill("New password", PASSWORD)
    person.press("Set the password and sign in")
    assert person.page.url.partition("?")[0].endswith("/desk")


def set_up(person: Hand, desk: OpenDesk, *, scripts: bool) -> None:
    """Go through the first steps up to a scheduled digest."""
    person.page.locator("main a.button").first.click()
    person.touched += 1
    person.fill("Name", "Morning Letter")
    person.fill("Publisher", "Example Press")
    person.fill("Address that letters come from", "letters@press.example")
    person.fill("Postal address", "1 Street, 00000 Town")
    person.page.locator("main form button").first.click()
    person.touched += 1
    person.fill("Address of the feed", desk.feed)
    person.press("Look at this address")
    person.wait_for("2 articles would come", look_again=None if scripts else lambda: person.press("Look again"))
    person.press("Add this feed")
    person.press("Make the digest")
    with desk.site.database.reading() as session:
        assert session.scalars(select(Digest.active)).all() == [True]


def test_first_start_to_an_issue_that_was_sent_in_few_fields_and_clicks(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk) as person:
        accept_invitation(person, desk)
        person.touched = 0
        set_up(person, desk, scripts=True)
        assert person.touched <= MOST_FIELDS_AND_CLICKS
        person.press("Draft it and send me a test letter")
        (test_letter,) = eventually(lambda: desk.letters(ADDRESS), within=20)
        assert test_letter["Subject"].startswith("[Test]")
        desk.subscribe()
        person.press("Read and approve")
        person.press("Approve issue 1")
        letters = eventually(lambda: desk.letters(READER)[1:], within=20)
        assert "Test" not in letters[0]["Subject"]
        eventually(lambda: desk.status() is IssueStatus.SENT, within=20)
        person.page.reload()
        assert "1" in person.page.locator("main").inner_text()


def test_first_start_to_an_approved_issue_without_scripts(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk, scripts=False) as person:
        accept_invitation(person, desk)
        set_up(person, desk, scripts=False)
        person.press("Draft it and send me a test letter")
        person.press("Read and approve")
        person.press("Approve issue 1")
    assert desk.status() in (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.SENT)


@pytest.mark.slow
def test_the_keyboard_alone_signs_in_with_a_code_and_approves(chromium: Browser, desk: OpenDesk):
    with hand(chromium, desk) as person:
        accept_invitation(person, desk)
        set_up(person, desk, scripts=True)
        person.press("Draft it and send me a test letter")
        secret = require_codes(person)
        person.press("Sign out")
        person.has_mouse = False
        person.page.goto("/desk/sign-in")
        person.fill("E-mail address", ADDRESS)
        person.fill("Password", PASSWORD)
        person.press("Sign in")
        person.fill("Code", pyotp.TOTP(secret).now())
        person.press("Go on")
        person.press("Read and approve")
        person.press("Approve issue 1")
    assert desk.status() in (IssueStatus.APPROVED, IssueStatus.SENDING, IssueStatus.SENT)
