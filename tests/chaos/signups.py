"""A crowd at the door: many visitors who sign up at the same time, and who insist."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx2
from selectolax.lexbor import LexborHTMLParser

from tests.waiting import eventually

AT_ONCE = 8  # browsers; each keeps its connection for as long as the site does
PAUSE = 0.05  # seconds until at a browser the next one comes, or the same one again
PATIENCE = 120  # seconds for all to be served


class Crowd:
    """Each visitor repeats the form until it is answered with 202; what was not is the visitor's to repeat."""

    def __init__(self, base_url: str, addresses: Sequence[str], *, pause: float = PAUSE) -> None:
        self.addresses = addresses
        self.served: list[str] = []
        self.turned_away = 0  # how often somebody had to try again
        self._base_url = base_url
        self._pause = pause
        self._given_up = Event()

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """They come while the block runs; it is left when all have their 202."""
        with ThreadPoolExecutor(AT_ONCE) as browsers:
            shares = [browsers.submit(self._sign_up, self.addresses[start::AT_ONCE]) for start in range(AT_ONCE)]
            try:
                yield
                self.wait_for(len(self.addresses))
            finally:
                self._given_up.set()
        for share in shares:
            share.result()

    def is_served(self) -> bool:
        return len(self.served) == len(self.addresses)

    def wait_for(self, number: int) -> None:
        """Until so many have been served."""
        eventually(lambda: len(self.served) >= number, within=PATIENCE)

    def _sign_up(self, share: Sequence[str]) -> None:
        with httpx2.Client(base_url=self._base_url, trust_env=False) as browser:
            form = hidden_fields(browser)
            for address in share:
                while not self._given_up.is_set() and not _takes(browser, {**form, "email": address}):
                    self.turned_away += 1
                    self._given_up.wait(self._pause)
                self.served.append(address)
                self._given_up.wait(self._pause)


def hidden_fields(browser: httpx2.Client) -> dict[str, Any]:
    """What the form carries besides the address, and the consent ticked."""
    page = LexborHTMLParser(browser.get("/n/morning").text)
    fields = page.css("form[action='/subscribe'] input[type=hidden]")
    return {str(field.attributes["name"]): field.attributes["value"] for field in fields} | {"consent": "true"}


def _takes(browser: httpx2.Client, form: dict[str, Any]) -> bool:
    try:
        return browser.post("/subscribe", data=form).status_code == 202
    except httpx2.TransportError:
        return False
