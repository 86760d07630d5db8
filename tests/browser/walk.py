"""A walk through every page of the site, as a visitor and reader of one newsletter."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select

from newsletter.consent.link_lifetime import LINK_LIFETIME
from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.legal_pages.page_texts import LegalPage
from newsletter.links import FRESH_LIFETIME, Purpose
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.browser.chromium import Tab, follow
from tests.whole_service import WholeService

NUMBERS = count(1)

# What no person opens, and why. Every other route has a stop on the walk.
NOT_PAGES = {
    "GET /pictures/{name}": "a picture",
    "GET /brand/{color}.css": "a stylesheet",
    "GET /health/live": "for programs",
    "GET /health/ready": "for programs",
    "GET /health/work": "for programs",
    "GET /metrics": "for programs",
    "GET /outbox/{name}/{part}": "in a frame of the letter's page",
    "GET /static/{name}": "stylesheets",
    "GET /embed.js": "the script of the box",
    "GET /static/embed.{content_hash}.js": "the script of the box",
    "GET /n/{slugs}/form": "for the box and for programs",
    "GET /favicon.ico": "a picture",
    "GET /robots.txt": "for programs",
    "GET /challenge": "for the widget of the proof of work",
    "GET /sitemap.xml": "for programs",
    "GET /archive/{slug}/feed.atom": "for feed readers",
    "GET /archive/{slug}/feed.json": "for feed readers",
    "OPTIONS /subscribe": "what a browser asks by itself",
    "OPTIONS /n/{slugs}/form": "what a browser asks by itself",
}


def routes_of(app: FastAPI) -> set[str]:
    """Return the application's routes that answer with pages, such as "GET /archive"."""
    return {route for route in _routes(app.router.routes) if not is_at_desk(route)} - NOT_PAGES.keys()


def is_at_desk(route: str) -> bool:
    """Whether a route belongs to the operators' pages, which have a walk of their own."""
    return route.partition(" ")[2].startswith("/desk")


def _routes(routes: Any) -> Iterator[str]:
    for route in routes:
        if included := getattr(route, "original_router", None):
            yield from _routes(included.routes)
        else:
            yield from (f"{method} {route.path}" for method in sorted(getattr(route, "methods", None) or "*"))


@dataclass(frozen=True)
class Walk:
    """The walk of somebody who reads one newsletter."""

    tab: Tab
    service: WholeService
    newsletter: Newsletter
    number: int = field(default_factory=lambda: next(NUMBERS))  # a walk of its own has addresses of its own

    def stops(self) -> Iterator[tuple[str, str]]:
        """Show one page after the other; yield the route of each, and what it shows."""
        for path in ("/", "/archive", "/outbox", "/privacy", "/imprint", "/accessibility"):
            self.tab.open(path)
            yield f"GET {path}", "the list"
        yield from self._archive()
        yield from self._saved_articles()
        yield from self._legal_pages()
        yield from self._sign_up()
        yield from self._never()
        yield from self._leave()
        yield from self._preferences()
        yield from self._own_data()
        yield from self._errors()

    def _archive(self) -> Iterator[tuple[str, str]]:
        self.tab.open(f"/archive/{self.newsletter.slug}")
        yield "GET /archive/{slug}", "the issues"
        self.tab.open(f"/archive/{self.newsletter.slug}/1")
        yield "GET /archive/{slug}/{number}", "an issue"

    def _saved_articles(self) -> Iterator[tuple[str, str]]:
        page = self.tab.page
        self.tab.open("/saved")
        yield "GET /saved", "nothing is saved"
        self.tab.open(f"/archive/{self.newsletter.slug}/1")
        for button in page.locator("button[aria-pressed]").all():
            button.click()
        yield "GET /archive/{slug}/{number}", "an issue whose articles are saved"
        self.tab.open("/saved")
        yield "GET /saved", "what is saved"
        page.locator("[data-remove-all]").click()
        yield "GET /saved", "a question before all is removed"
        page.locator("dialog .quiet").click()

    def _legal_pages(self) -> Iterator[tuple[str, str]]:
        for legal in LegalPage:
            self.tab.open(f"{self._form}/{legal}")
            yield f"GET /n/{{slug}}/{legal}", "as it is generated"

    def _sign_up(self) -> Iterator[tuple[str, str]]:
        page = self.tab.page
        self.tab.open(self._form)
        yield "GET /n/{slug}", "the form"
        self.tab.open("/subscribe")
        yield "GET /subscribe", "where a reloaded answer leads"
        self.tab.open(self._form)
        self._post("no address")
        yield "POST /subscribe", "the form with errors"
        page.locator("input[name=consent]").check()
        self._post(self._address("new"))
        yield "POST /subscribe", "look into your inbox"
        self.tab.open(self._link("confirm", self._address("new")))
        yield "GET /confirm/{token}", "the button"
        self.tab.press("confirm")
        yield "POST /confirm/{token}", "confirmed"
        self.tab.open(self._link("confirm", self._address("new")))
        yield "GET /confirm/{token}", "already confirmed"
        page.goto("/outbox")
        follow(page.locator("main a[href^='/outbox/']").first)
        yield "GET /outbox/{name}", "a letter"

    def _never(self) -> Iterator[tuple[str, str]]:
        self.tab.open(self._form)
        self.tab.page.locator("input[name=consent]").check()
        self._post(self._address("never"))
        self.tab.open(self._link("never", self._address("never")))
        yield "GET /never/{token}", "the button"
        self.tab.press("never")
        yield "POST /never/{token}", "suppressed"

    def _leave(self) -> Iterator[tuple[str, str]]:
        subscriber = self._subscriber(self._address("new"))
        link = f"/u/{self.service.site.links.token(Purpose.UNSUBSCRIBE, subscriber, self.newsletter.id)}"
        self.tab.open(link)
        yield "GET /u/{token}", "the button"
        self.tab.press("unsubscribe")
        yield "POST /u/{token}", "unsubscribed"
        self.tab.press("tell")
        yield "POST /u/{token}", "no reason chosen"
        self.tab.page.locator("input[value='too many']").check()
        self.tab.press("tell")
        yield "POST /u/{token}", "a reason told"
        self.tab.page.locator("#words summary").first.click()
        yield "POST /u/{token}", "the words of the way back"
        former = self._link("confirm", self._address("new"))
        self.tab.press("again")
        yield "POST /u/{token}", "look into your inbox"
        self.service.run(Queue.URGENT)  # the next letter to be looked for is then a later one
        self.tab.open(former)
        yield "GET /confirm/{token}", "withdrawn since"

    def _preferences(self) -> Iterator[tuple[str, str]]:
        reader = f"{self.newsletter.slug}@example.org"  # of the issue in the archive
        subscriber, links = self._subscriber(reader), self.service.site.links
        self.tab.open(f"/preferences/{links.token(Purpose.PREFERENCES, subscriber, self.newsletter.id)}")
        yield "GET /preferences/{token}", "of one newsletter"
        self._submit("#pause")
        yield "POST /preferences/{token}", "paused"
        self.tab.press("pause")
        yield "POST /preferences/{token}", "the pause is over"
        self.tab.press("link")
        yield "POST /preferences/{token}", "a link is on its way"
        minute = int(self.service.clock().timestamp()) // 60
        late = minute - int(FRESH_LIFETIME.total_seconds()) // 60 - 1
        self.tab.open(f"/preferences/{links.token(Purpose.FRESH_PREFERENCES, subscriber, late)}")
        yield "GET /preferences/{token}", "a link that has run out"
        self.tab.open(self._link("preferences", reader))
        yield "GET /preferences/{token}", "of all newsletters"
        page = self.tab.page
        page.locator("#name").fill("=?")
        self.tab.press("save")
        yield "POST /preferences/{token}", "with a wrong name"
        page.locator("#name").fill("Ana")
        page.locator("#zone").select_option(index=1)
        page.locator("select[name^=pause-]").first.select_option("open")
        self.tab.press("save")
        yield "POST /preferences/{token}", "saved"
        follow(page.locator("a[href*='/more/']").first)
        yield "GET /preferences/{token}/more/{slug}", "the form of another newsletter"
        self._submit("#consent")
        yield "POST /preferences/{token}/more/{slug}", "the form with errors"
        page.locator("#consent").check()
        self._submit("#consent")
        yield "POST /preferences/{token}/more/{slug}", "look into your inbox"

    def _own_data(self) -> Iterator[tuple[str, str]]:
        self.service.reader(self._address("reader"), self.newsletter.slug)
        minute = int(self.service.clock().timestamp()) // 60
        subscriber = self._subscriber(self._address("reader"))
        token = self.service.site.links.token(Purpose.FRESH_PREFERENCES, subscriber, minute)
        yield from self._my_data(token)
        yield from self._change_address(token)

    def _change_address(self, token: str) -> Iterator[tuple[str, str]]:
        self.tab.open(f"/preferences/{token}/address")
        yield "GET /preferences/{token}/address", "the field"
        self._enter("no address")
        yield "POST /preferences/{token}/address", "the field with an error"
        self._enter(self._address("moved"))
        yield "POST /preferences/{token}/address", "look into the new inbox"
        link = self._link("address", self._address("moved"))
        self.tab.open(link)
        yield "GET /address/{token}", "the button"
        self.tab.press("confirm")
        yield "POST /address/{token}", "changed"

    def _my_data(self, token: str) -> Iterator[tuple[str, str]]:
        self.tab.open("/my-data")
        yield "GET /my-data", "the field"
        self._enter("no address")
        yield "POST /my-data", "the field with an error"
        self._enter(self._address("nobody"))
        yield "POST /my-data", "look into your inbox"
        self.tab.open(f"/my-data/{token}")
        yield "GET /my-data/{token}", "what is stored"

    def _errors(self) -> Iterator[tuple[str, str]]:
        self.tab.open("/nothing-here")
        yield "", "not found"
        self.tab.open("/u/nonsense")
        yield "", "a link with a part missing"
        self.tab.open("/link")
        yield "GET /link", "where the whole link is pasted"
        self.tab.page.locator("#link").fill("https://elsewhere.example/")
        self._submit("#link")
        yield "POST /link", "no link of ours"
        yield from self._mistyped_address()
        self.tab.open(self._form)
        self.tab.page.locator("input[name=consent]").check()
        self._post(self._address("late"))
        link = self._link("confirm", self._address("late"))
        self.service.clock.advance(seconds=LINK_LIFETIME.total_seconds() + 1)
        self.tab.open(link)
        yield "", "an expired link"
        self.tab.press("again")
        yield "POST /confirm/{token}", "a new link is on its way"

    def _mistyped_address(self) -> Iterator[tuple[str, str]]:
        page, mistyped = self.tab.page, self._address("slip").replace("example.org", "gmial.com")
        self.tab.open(self._form)
        page.locator("input[name=consent]").check()
        self._post(mistyped)
        link = self._link("confirm", mistyped)
        for summary in page.locator("details > summary").all():
            summary.click()
        yield "POST /subscribe", "an address that looks mistyped"
        page.locator("#email").fill(self._address("mended"))
        self._submit("#email")
        yield "POST /subscribe", "the address is corrected"
        self.service.run(Queue.URGENT)
        self.tab.open(link)
        yield "GET /confirm/{token}", "corrected since"

    def _address(self, name: str) -> str:
        return f"{name}{self.number}.{self.newsletter.slug}@example.org"

    @property
    def _form(self) -> str:
        return f"/n/{self.newsletter.slug}"

    def _post(self, address: str) -> None:
        page = self.tab.page
        page.locator("input[name=email]").fill(address)
        page.locator("form[action='/subscribe']").evaluate("form => form.noValidate = true")
        follow(page.locator("form[action='/subscribe'] button"))

    def _submit(self, field: str) -> None:
        """Press the button of the form with this field, and wait for the page that follows."""
        follow(self.tab.page.locator(f"form:has({field}) button"))

    def _enter(self, address: str) -> None:
        page = self.tab.page
        page.locator("input[name=email]").fill(address)
        follow(page.locator("main form button"))

    def _link(self, path: str, address: str) -> str:
        """Let the workers send, and return the link of that path in the newest letter to the address."""
        self.service.run(Queue.URGENT)
        return self.service.link(self.service.letters(to=address)[-1], path)

    def _subscriber(self, address: str) -> int:
        with self.service.site.database.reading() as session:
            return session.scalars(select(Subscriber.id).where(Subscriber.address_key == address)).one()
