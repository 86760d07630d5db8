"""The protocol of a downloader: it fetches a document of a stranger and reduces it to a safe value."""

from dataclasses import dataclass
from typing import Protocol

from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import Fetcher
from newsletter.content.parsing import parser
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.images import shrinking
from newsletter.content.parsing.images.image_check import LEAD, LOGO
from newsletter.content.parsing.images.shrinking import PictureFile
from newsletter.errors import NewsletterError

MAX_PICTURE_BYTES = 2_000_000


class LimitExceeded(NewsletterError):
    """The document takes more processor time or memory than a feed or a picture may."""


class DownloadInterrupted(NewsletterError):
    """The download was not finished for a reason of ours; the document is not at fault, and a retry may succeed."""


class DownloadCancelled(DownloadInterrupted):
    """This service stops; the download begins again when it runs."""


FeedFailure = FetchError | FeedUnreadable | LimitExceeded | DownloadInterrupted
FEED_FAILURES = (FetchError, FeedUnreadable, LimitExceeded, DownloadInterrupted)


@dataclass(frozen=True, kw_only=True)
class FeedDownload:
    """A server's response to a request for a feed. `feed` is None if the feed has not changed (HTTP 304)."""

    url: str  # after redirects
    moved_to: str | None = None  # where permanent redirects alone lead (HTTP 301 and 308)
    etag: str | None = None
    last_modified: str | None = None
    feed: ParsedFeed | None = None


@dataclass(frozen=True, kw_only=True)
class PictureDownload:
    """A picture as small as it is shown, and a thumbnail unless it is as small as one itself."""

    file: PictureFile
    thumbnail: PictureFile | None = None


class Downloader(Protocol):
    """Downloads feeds and pictures, and reads a publisher's own files as carefully.

    Raises FetchError if the server gives no document, FeedUnreadable if the document is no feed, PictureUnsuitable if
    it is no picture for an article, LimitExceeded if reading it takes too much, and DownloadInterrupted for a reason of
    ours.
    """

    def feed(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> FeedDownload:
        """Download a feed, conditionally if validators are given."""
        ...

    def picture(self, url: str) -> PictureDownload:
        """Download an article's picture."""
        ...

    def logo(self, body: bytes) -> PictureDownload:
        """Read a logo, which an operator has on a disk."""
        ...


class DirectDownloader:
    """A downloader that fetches and parses in this process, without limits of its own."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def feed(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> FeedDownload:
        """Download a feed, conditionally if validators are given."""
        result = self._fetcher.fetch(url, etag=etag, last_modified=last_modified)
        parsed = None
        if result.body is not None:
            parsed = parser.parse(result.body, url=result.url, content_type=result.content_type)
        return FeedDownload(
            url=result.url,
            moved_to=result.moved_to,
            etag=result.etag,
            last_modified=result.last_modified,
            feed=parsed,
        )

    def picture(self, url: str) -> PictureDownload:
        """Download an article's picture."""
        body = self._fetcher.fetch(url, limit=MAX_PICTURE_BYTES).body or b""
        file, thumbnail = shrinking.lead_and_thumbnail(body, suitable=LEAD)
        return PictureDownload(file=file, thumbnail=thumbnail)

    def logo(self, body: bytes) -> PictureDownload:
        """Read a logo, which an operator has on a disk."""
        return PictureDownload(file=shrinking.logo(body, suitable=LOGO))
