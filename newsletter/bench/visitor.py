"""A simulated visitor: uses the site over HTTP and reads the letters that arrive."""

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

TIMEOUT = 60.0  # seconds for one step
Found = TypeVar("Found")


class StepFailed(NewsletterError):
    """A step of the simulated visit failed or took too long."""


def wait_for(
    result: Callable[[], Found | None],
    name: str,
    *,
    check: Callable[[], None] = lambda: None,
    timeout: float = TIMEOUT,
) -> Found:
    """Call `result` until it returns a true value, and return that.

    Raises StepFailed, which contains `name`, after `timeout` seconds; `check` raises earlier if waiting is pointless.
    """
    deadline = time.monotonic() + timeout
    while not (found := result()):
        check()
        if time.monotonic() > deadline:
            raise StepFailed(f"Waited {timeout:.0f} seconds for {name}.")
        time.sleep(0.05)
    return found


def browser_at(base_url: str) -> httpx2.Client:
    """Return a client for the site at that address. `close` it.

    It uses each connection once: a site closes a connection that was idle for five seconds, perhaps just when the next
    request is sent, and a visitor waits longer for a letter.
    """
    limits = httpx2.Limits(max_keepalive_connections=0)
    return httpx2.Client(base_url=base_url, timeout=TIMEOUT, limits=limits, trust_env=False)


class ReceivedLetters(Protocol):
    """The readers' letters."""

    def __len__(self) -> int:
        """Return how many letters have arrived."""

    def letters(self) -> list[EmailMessage]:
        """Return the letters that have arrived."""


@dataclass(frozen=True)
class Visitor:
    """A visitor with a browser and an inbox; every method raises StepFailed if the site refuses."""

    browser: httpx2.Client
    inbox: ReceivedLetters

    def sign_up(self, slug: str, address: str, name: str) -> None:
        """Fill in the form of a newsletter's page and send it."""
        page = self._page(f"/n/{slug}")
        hidden = page.css("form[action='/subscribe'] input[type=hidden]")
        filled = {str(field.attributes["name"]): field.attributes["value"] for field in hidden}
        filled |= {"email": address, "name": name, "consent": "true"}
        response = self._request("POST", "/subscribe", data=filled)
        if response.status_code != 202:
            raise StepFailed(f"The site answered the sign-up form with {response.status_code}.")

    def confirm(self, letter: EmailMessage) -> None:
        """Open the link in a confirmation letter and press the button on its page."""
        link = next(line for line in self.text(letter).splitlines() if "/confirm/" in line)
        buttons = self._page(link).css("form[method=post] button[name=confirm]")
        pressed = {str(button.attributes["name"]): button.attributes["value"] for button in buttons}
        response = self._request("POST", link, data=pressed)
        if response.status_code != 200:
            raise StepFailed(f"The site answered the confirmation with {response.status_code}.")

    def leave(self, letter: EmailMessage) -> None:
        """Press the mail program's own unsubscribe button (RFC 8058)."""
        link = letter["List-Unsubscribe"].strip("<>")
        response = self._request("POST", link, data={"List-Unsubscribe": "One-Click"})
        if response.status_code != 200:
            raise StepFailed(f"The site answered the one-click unsubscribe with {response.status_code}.")

    def letters(self, at_least: int) -> list[EmailMessage]:
        """Return the letters in the inbox; none until `at_least` have arrived."""
        return self.inbox.letters() if len(self.inbox) >= at_least else []

    def text(self, letter: EmailMessage) -> str:
        """Return a letter's text part."""
        part = letter.get_body(("plain",))
        return part.get_content() if part else ""

    def _page(self, url: str) -> LexborHTMLParser:
        response = self._request("GET", url)
        if response.status_code != 200:
            raise StepFailed(f"The site answered a page request with {response.status_code}.")
        return LexborHTMLParser(response.text)

    def _request(self, method: str, url: str, **content: Any) -> httpx2.Response:
        try:
            return self.browser.request(method, url, **content)
        except httpx2.TransportError as error:
            raise StepFailed(f"The site did not answer ({type(error).__name__}).") from error


@contextmanager
def feed_served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP and yield its URL, so that a feed in a file is fetched like any other."""
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
        """Log nothing: the demo prints its own lines."""
