"""Many visitors who sign up at the same time, and retry until the site accepts."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx2
from selectolax.lexbor import LexborHTMLParser

from tests.waiting import eventually

BROWSERS = 8  # each keeps its connection as long as the site does
PAUSE = 0.05  # seconds between two requests of one browser
TIMEOUT = 120  # seconds for all visitors to be served


class Crowd:
    """Visitors who each post the form until the site answers 202; the test relies on their retries."""

    def __init__(self, base_url: str, addresses: Sequence[str], *, pause: float = PAUSE) -> None:
        self.addresses = addresses
        self.served: list[str] = []
        self.retries = 0
        self._base_url = base_url
        self._pause = pause
        self._stop = Event()

    @contextmanager
    def signing_up(self) -> Iterator[None]:
        """Let the visitors sign up during the block, which ends when all have their 202."""
        with ThreadPoolExecutor(BROWSERS) as browsers:
            shares = [browsers.submit(self._sign_up, self.addresses[start::BROWSERS]) for start in range(BROWSERS)]
            try:
                yield
                self.wait_for(len(self.addresses))
            finally:
                self._stop.set()
        for share in shares:
            share.result()

    def is_served(self) -> bool:
        """Return whether all visitors have their 202."""
        return len(self.served) == len(self.addresses)

    def wait_for(self, number: int) -> None:
        """Wait until that many visitors have their 202."""
        eventually(lambda: len(self.served) >= number, within=TIMEOUT)

    def _sign_up(self, share: Sequence[str]) -> None:
        with httpx2.Client(base_url=self._base_url, trust_env=False) as browser:
            form = hidden_fields(browser)
            for address in share:
                while not self._stop.is_set() and not _is_accepted(browser, {**form, "email": address}):
                    self.retries += 1
                    self._stop.wait(self._pause)
                self.served.append(address)
                self._stop.wait(self._pause)


def hidden_fields(browser: httpx2.Client) -> dict[str, Any]:
    """Return the form's fields except the address, with the consent ticked."""
    page = LexborHTMLParser(browser.get("/n/morning").text)
    fields = page.css("form[action='/subscribe'] input[type=hidden]")
    return {str(field.attributes["name"]): field.attributes["value"] for field in fields} | {"consent": "true"}


def _is_accepted(browser: httpx2.Client, form: dict[str, Any]) -> bool:
    try:
        return browser.post("/subscribe", data=form).status_code == 202
    except httpx2.TransportError:
        return False
