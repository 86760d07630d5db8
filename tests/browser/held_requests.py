"""Requests of a page that end when the test says how, as on a slow line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route


class HeldRequests:
    """The requests for an address."""

    def __init__(self) -> None:
        self._waiting: list[Route] = []
        self._end: Callable[[Route], None] | None = None

    def hold(self, route: Route) -> None:
        """Hold a request, unless the test has said how it ends."""
        if self._end:
            self._end(route)
        else:
            self._waiting.append(route)

    def answer(self) -> None:
        """Let the service answer, also what is asked from now on."""
        self._end_by(lambda route: route.continue_())

    def fail(self) -> None:
        """Let the requests fail as where there is no network."""
        self._end_by(lambda route: route.abort())

    def _end_by(self, end: Callable[[Route], None]) -> None:
        self._end = end
        while self._waiting:
            end(self._waiting.pop())


@contextmanager
def held(page: Page, address: str) -> Iterator[HeldRequests]:
    """Hold what the page asks of this address, which it does during the block."""
    requests = HeldRequests()
    page.route(address, requests.hold)
    with page.expect_request(address):
        yield requests
