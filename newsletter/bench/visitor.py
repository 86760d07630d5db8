"""A rehearsal of the whole service, performed from the outside: over HTTP, and by reading the letters that arrive."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol, TypeVar

import httpx2
from selectolax.lexbor import LexborHTMLParser

from newsletter.errors import NewsletterError

PATIENCE = 60.0  # seconds that a step may take before the rehearsal gives up
Found = TypeVar("Found")


class Stuck(NewsletterError):
    """The rehearsal waited for something that did not happen."""


def until(
    check: Callable[[], Found | None],
    what: str,
    *,
    watch: Callable[[], None] = lambda: None,
    patience: float = PATIENCE,
) -> Found:
    """What `check` finds, asked again and again until it finds something, or `watch` raises that it never will.

    Raises Stuck naming what was waited for.
    """
    end = time.monotonic() + patience
    while not (found := check()):
        watch()
        if time.monotonic() > end:
            raise Stuck(f"Waited {patience:.0f} seconds for {what}.")
        time.sleep(0.05)
    return found


class Inbox(Protocol):
    """The readers' letters."""

    def __len__(self) -> int:
        """How many have arrived."""

    def letters(self) -> list[EmailMessage]:
        """What has arrived."""


@dataclass(frozen=True)
class Visitor:
    """Somebody with a browser and an inbox."""

    browser: httpx2.Client
    inbox: Inbox

    def sign_up(self, slug: str, address: str, name: str) -> None:
        """Fill in the form of a newsletter's page and send it."""
        page = self._page(f"/n/{slug}")
        hidden = page.css("form[action='/subscribe'] input[type=hidden]")
        filled = {str(field.attributes["name"]): field.attributes["value"] for field in hidden}
        filled |= {"email": address, "name": name, "consent": "true"}
        answer = self._request("POST", "/subscribe", data=filled)
        if answer.status_code != 202:
            raise Stuck(f"The sign-up form was answered with {answer.status_code}.")

    def confirm(self, letter: EmailMessage) -> None:
        """Open the link in a confirmation letter and press the button on its page."""
        link = next(line for line in self.text(letter).splitlines() if "/confirm/" in line)
        buttons = self._page(link).css("form[method=post] button[name=confirm]")
        pressed = {str(button.attributes["name"]): button.attributes["value"] for button in buttons}
        answer = self._request("POST", link, data=pressed)
        if answer.status_code != 200:
            raise Stuck(f"The confirmation was answered with {answer.status_code}.")

    def leave(self, letter: EmailMessage) -> None:
        """Press the mail program's own unsubscribe button (RFC 8058)."""
        link = letter["List-Unsubscribe"].strip("<>")
        answer = self._request("POST", link, data={"List-Unsubscribe": "One-Click"})
        if answer.status_code != 200:
            raise Stuck(f"The one-click unsubscribe was answered with {answer.status_code}.")

    def letters(self, at_least: int) -> list[EmailMessage]:
        """The letters in the inbox, once there are that many."""
        return self.inbox.letters() if len(self.inbox) >= at_least else []

    def text(self, letter: EmailMessage) -> str:
        """A letter's text part."""
        part = letter.get_body(("plain",))
        return part.get_content() if part else ""

    def _page(self, url: str) -> LexborHTMLParser:
        answer = self._request("GET", url)
        if answer.status_code != 200:
            raise Stuck(f"A page was answered with {answer.status_code}.")
        return LexborHTMLParser(answer.text)

    def _request(self, method: str, url: str, **sent: Any) -> httpx2.Response:
        try:
            return self.browser.request(method, url, **sent)
        except httpx2.TransportError as error:
            raise Stuck(f"The site did not answer ({type(error).__name__}).") from error


@contextmanager
def feed_served(folder: Path) -> Iterator[str]:
    """A folder on a web server of its own, so that a feed in a file is fetched as any other; yields its address."""
    handler: Any = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, name="feed", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing: the demo's own lines are enough."""
