"""Follow redirects: which are refused, and where the permanent ones lead (RFC 9110 section 15.4)."""

import httpx2

from newsletter.content.fetching.destinations import Forbidden

PERMANENT = (301, 308)


def check_redirect(url: httpx2.URL) -> None:
    """Raise Forbidden if a redirect leads to a URL with a user name or a password, which would be sent as a login."""
    if url.userinfo:
        raise Forbidden("The server redirects to an address with a user name and password.")


class PermanentMove:
    """The new address of a document: where an unbroken chain of permanent redirects from its old address leads.

    `url` is None if there is none. A temporary redirect ends the chain; what comes behind it may change again. An
    address that gives up the encryption of the old one is passed through, but is no new address.
    """

    def __init__(self, url: str) -> None:
        self.url: str | None = None
        self._old = httpx2.URL(url)
        self._is_unbroken = True

    def follow(self, status: int, url: httpx2.URL) -> None:
        """Follow a redirect with this status to a URL."""
        self._is_unbroken = self._is_unbroken and status in PERMANENT
        is_downgrade = self._old.scheme == "https" and url.scheme != "https"
        if self._is_unbroken and not is_downgrade:
            new = url.copy_with(fragment=None)
            self.url = str(new) if new != self._old else None
