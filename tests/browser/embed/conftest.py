"""A publisher's site beside the service: pages of another origin that show the box."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page
from sqlalchemy import select

from newsletter import newsletters, registered_sites
from newsletter.consent.counts.day_counts import DayCounts
from newsletter.consent.signups.signups import Signup
from tests.browser.chromium import TIMEOUT
from tests.browser.reachable import reachable_service
from tests.local_http import LocalHttp, local_http
from tests.whole_service import WholeService

HTML = {"Content-Type": "text/html; charset=utf-8"}
GERMAN = "Bitte senden Sie mir diesen Newsletter per E-Mail. Ich kann das jederzeit beenden."
ARABIC = "أرجو إرسال هذه النشرة إلى بريدي الإلكتروني. ويمكنني إيقافها في أي وقت."


@dataclass
class HostPage:
    """A tab that shows a page of the publisher's."""

    page: Page
    warnings: list[str] = field(default_factory=list)  # and errors of the console
    hosts: set[str] = field(default_factory=set)  # that something was requested from

    def box(self, number: int = 0) -> Locator:
        """Return a box of the page; locators look into its shadow root."""
        return self.page.locator("newsletter-signup").nth(number)

    def fill(self, email: str, number: int = 0) -> None:
        """Fill a box in, and press its button."""
        box = self.box(number)
        box.locator("[name=email]").fill(email)
        box.locator("[name=consent]").check()
        box.get_by_role("button", name="Subscribe").click()

    @property
    def events(self) -> list[str]:
        """What the boxes told the page's scripts."""
        return list(self.page.evaluate("() => window.told"))


@dataclass(frozen=True)
class Publisher:
    """The publisher's site, and the service whose box it shows."""

    web: LocalHttp
    service: WholeService
    browser: Browser

    @property
    def base_url(self) -> str:
        return self.service.site.settings.base_url

    @property
    def script(self) -> str:
        """The tag that loads the script and places no box."""
        return f'<script src="{self.base_url}/embed.js" async></script>'

    def open(
        self,
        body: str,
        *,
        head: str = "",
        policy: str = "",
        html: str = 'lang="en"',
        host: str = "127.0.0.1",
        **context: Any,
    ) -> HostPage:
        """Show a page with this body; its script listens to what boxes tell."""
        listening = (
            "for (const what of ['shown', 'sent', 'failed']) addEventListener('newsletter-signup:' + what, "
            "({detail}) => told.push(what + ' ' + JSON.stringify(detail)));"
        )
        document = (
            f"<!doctype html><html {html}><head><meta charset=utf-8><title>Courier</title>"
            f"<script nonce=n>window.told = [];{listening}</script>{head}</head><body>{body}</body></html>"
        )
        return self.show(document, policy=policy, host=host, **context)

    def show(self, document: str, *, policy: str = "", host: str = "127.0.0.1", **context: Any) -> HostPage:
        """Show a document of the publisher's site in a tab of its own."""
        headers = {**HTML, **({"Content-Security-Policy": policy} if policy else {})}
        self.web.put("/favicon.ico", status=204)
        self.web.put("/2026/bridge?from=mail", document.encode(), headers=headers)
        opened = self.browser.new_context(**{"locale": "en", **context})
        opened.set_default_timeout(TIMEOUT)
        shown = HostPage(opened.new_page())
        shown.page.on("console", lambda message: shown.warnings.append(message.text))
        shown.page.on("pageerror", lambda error: shown.warnings.append(str(error)))
        shown.page.on("request", lambda request: shown.hosts.add(urlsplit(request.url).netloc))
        shown.page.goto(self.web.url("/2026/bridge?from=mail", host=host) + "#top")
        return shown

    def signups(self, email: str) -> list[Signup]:
        """Return the stored sign-ups of an address."""
        with self.service.site.database.reading() as session:
            return list(session.scalars(select(Signup).where(Signup.address_key == email)))


@pytest.fixture(autouse=True)
def _close_tabs(publisher: Publisher) -> Iterator[None]:
    yield
    for each in publisher.browser.contexts:
        each.close()


@pytest.fixture(scope="module")
def publisher(chromium: Browser, published: tuple[LocalHttp, WholeService]) -> Publisher:
    """The publisher's site, shown by Chromium."""
    return Publisher(*published, chromium)


@pytest.fixture(scope="module")
def published(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalHttp, WholeService]]:
    """The publisher's site, and the service."""
    with (
        reachable_service(sqlite_template, tmp_path_factory.mktemp("service")) as service,
        local_http() as web,
    ):
        service.newsletter("morning", description="What happened overnight.", other_languages=["ar", "de"])
        service.newsletter("evening", brand="#7a1fa2")
        service.publish_words("morning", ARABIC, "ar")
        service.publish_words("morning", GERMAN, "de")
        with service.site.database.writing() as session:
            by = {"actor": "tests", "now": service.clock()}
            for newsletter in newsletters.every(session):
                registered_sites.register(session, newsletter, web.url("/"), **by)
                today = {"day": service.clock().date(), "joined": 0, "left": 0, "counted_at": service.clock()}
                session.add(DayCounts(newsletter_id=newsletter.id, readers=12_345, **today))
        service.let_the_site_read_newsletters_again()
        yield web, service
