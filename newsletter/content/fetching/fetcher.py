"""What a fetcher is and what it returns. The one that asks the Internet is in `fetching`."""

from dataclasses import dataclass
from typing import Protocol

MAX_BYTES = 5_000_000


@dataclass(frozen=True, kw_only=True)
class FetchResult:
    """What a server gave. `body` is None when nothing has changed since the validators that were sent (HTTP 304)."""

    url: str  # after redirects
    body: bytes | None
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None


class Fetcher(Protocol):
    """Whoever can get what lies at an address."""

    def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, limit: int = MAX_BYTES
    ) -> FetchResult:
        """Get at most `limit` bytes. Raises FetchError with a reason that an operator understands."""
        ...
