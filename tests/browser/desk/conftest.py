"""A running service with an empty desk, and a person's browser there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from newsletter.bench.visitor import Visitor, browser_at
from newsletter.cli.serve import embedded_app, served
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.links import Purpose
from newsletter.mail.transport.outbox import Outbox
from newsletter.operators import operator_links, operators
from newsletter.operators.operator_links import LinkPurpose
from newsletter.operators.roles import Role
from newsletter.settings import load
from newsletter.web.site import Site
from tests.browser.chromium import TIMEOUT
from tests.browser.desk.hand import Hand
from tests.journeys.running_service import FEED, ITEM
from tests.local_http import local_http
from tests.servers.server import free_port
from tests.waiting import eventually
from tests.whole_service import SECRET

ADDRESS, PASSWORD = "ana@press.example", "correct horse battery staple"
READER = "reader@example.org"
TITLES = ("A bridge opens", "The bus waits")
DESK = {"width": 1280, "height": 900}
SENT_WITHIN = TIMEOUT / 1000  # seconds until the worker has sent a letter


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
        with browser_at(self.site.settings.base_url) as browser:
            visitor = Visitor(browser, Path())  # type: ignore[arg-type] - no inbox is read
            visitor.sign_up("morning-letter", READER, "")
            visitor.confirm(eventually(lambda: self.letters(READER), within=SENT_WITHIN)[0])


@pytest.fixture
def desk_settings() -> dict[str, str]:
    """Further settings of the desk, for tests that override this."""
    return {}


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path, desk_settings: dict[str, str]) -> Iterator[OpenDesk]:
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
            **desk_settings,
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
