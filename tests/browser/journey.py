"""The whole way of a reader: from a form to confirming, a pause, another address, one's own data, leaving and back."""

from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Locator
from sqlalchemy import select

from newsletter.consent.subscribers.subscribers import Subscriber
from newsletter.links import Purpose
from newsletter.newsletters import Newsletter
from newsletter.queues.wakeups import Queue
from tests.browser.embed.host_pages import Visit


@dataclass(frozen=True)
class Journey:
    """One reader of the newsletter whose form they have sent. Selectors are the same in every language."""

    visit: Visit
    newsletter: Newsletter
    email: str

    def stops(self) -> Iterator[str]:
        """Use one page after the other as the visitor would, and yield what each one is."""
        yield from self._confirm()
        yield from self._pause()
        yield from self._fresh_link()
        yield from self._leave()

    def _confirm(self) -> Iterator[str]:
        self._open(self._mailed("confirm"))
        yield "confirm"
        self._press("button[name=confirm]")
        yield "welcome"

    def _pause(self) -> Iterator[str]:
        links = self.visit.publisher.service.site.links
        self._open(f"/preferences/{links.token(Purpose.PREFERENCES, self._subscriber(), self.newsletter.id)}")
        yield "preferences of a letter"
        self._press("form:has(#pause) button")
        yield "paused"
        self._press("button[name=pause]")
        yield "the pause is over"
        self._press("button[name=link]")
        yield "a link is on its way"

    def _fresh_link(self) -> Iterator[str]:
        link = self._mailed("preferences")
        self._open(link)
        yield "all preferences"
        self._press("a[href*='/my-data/']")
        yield "my data"
        self._open(link)
        self._press("a[href$='/address']")
        yield "another address"
        self._enter("[name=email]", f"new.{self.email}")
        self._press("main form button")
        yield "look into the new inbox"
        self._open(self._mailed("address", f"new.{self.email}"))
        yield "confirm the address"
        self._press("button[name=confirm]")
        yield "the address is changed"

    def _leave(self) -> Iterator[str]:
        links = self.visit.publisher.service.site.links
        subscriber = self._subscriber(f"new.{self.email}")
        self._open(f"/u/{links.token(Purpose.UNSUBSCRIBE, subscriber, self.newsletter.id)}")
        yield "leave"
        self._press("button[name=unsubscribe]")
        yield "left"
        self.visit.press(self._control("input[value='too many']"), "Space")
        self._press("button[name=tell]")
        yield "a reason told"
        self._press("#words summary", leads_on=False)
        self.visit.publisher.service.clock.advance(minutes=1)  # whoever comes back does so after leaving
        self._press("button[name=again]")
        yield "look into your inbox once more"
        self._open(self._mailed("confirm", f"new.{self.email}"))
        self._press("button[name=confirm]")
        yield "back again"

    def _control(self, selector: str) -> Locator:
        return self.visit.shown.page.locator(selector).first

    def _open(self, path: str) -> None:
        self.visit.shown.page.goto(self.visit.publisher.base_url + path)
        self.visit.enlarge_text()

    def _press(self, selector: str, *, leads_on: bool = True) -> None:
        control = self._control(selector)
        if not leads_on:
            self.visit.press(control)
            return
        self.visit.approach(control)  # before the time runs in which the page must follow
        with self.visit.shown.page.expect_navigation():
            self.visit.press(control)
        self.visit.see(self._control("h1"))
        self.visit.enlarge_text()

    def _enter(self, selector: str, text: str) -> None:
        self.visit.enter(self._control(selector), text)

    def _mailed(self, path: str, email: str = "") -> str:
        """Let a minute pass and the workers send; return the link of that path in the newest letter to the reader."""
        service = self.visit.publisher.service
        service.clock.advance(minutes=1)
        service.run(Queue.URGENT)
        to = email or self.email
        letters = [letter for letter in service.letters() if letter["To"].addresses[0].addr_spec == to]
        return service.link([letter for letter in letters if f"/{path}/" in str(letter)][-1], path)

    def _subscriber(self, email: str = "") -> int:
        with self.visit.publisher.service.site.database.reading() as session:
            found = select(Subscriber.id).where(Subscriber.address_key == (email or self.email))
            return session.scalars(found).one()
