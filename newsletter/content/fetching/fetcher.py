"""The protocol of a fetcher and its result. `fetching.http` implements it over HTTP."""

from dataclasses import dataclass
from typing import Protocol

MAX_BYTES = 5_000_000


@dataclass(frozen=True, kw_only=True)
class FetchResult:
    """A server's response. `body` is None if the content matches the validators that were sent (HTTP 304)."""

    url: str  # after redirects
    moved_to: str | None = None  # where permanent redirects alone lead (HTTP 301 and 308)
    body: bytes | None
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None


class Fetcher(Protocol):
    """Fetches the content of a URL."""

    def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, limit: int = MAX_BYTES
    ) -> FetchResult:
        """Return a body of at most `limit` bytes. Raises FetchError with a reason that an operator understands."""
        ...
