"""Look at an address once before it becomes a feed's, and keep what came as the feed's first refresh."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, cast

from sqlalchemy.orm import Session

from newsletter.content import refreshing
from newsletter.content.downloading import messages
from newsletter.content.downloading.downloader import FEED_FAILURES, Downloader, FeedDownload, FeedFailure
from newsletter.content.feeds.feed_attempts import FeedAttempt
from newsletter.content.feeds.feeds import DueFeed, Feed
from newsletter.content.parsing.entries import FeedEntry
from newsletter.content.parsing.feed_links import web_address


@dataclass(frozen=True, kw_only=True)
class FeedLook:
    """What came from an address: a download, or the error that tells why none did."""

    asked: str
    download: FeedDownload | None = None
    failure: FeedFailure | None = None

    @property
    def url(self) -> str:
        """The address to read the feed from: where it has moved for good, else the one that was asked."""
        moved_to = self.download.moved_to if self.download else None
        return (web_address(moved_to) if moved_to else None) or self.asked

    @property
    def outcome(self) -> dict[str, Any]:
        """What came, as JSON that `from_outcome` reads."""
        if self.failure:
            return {"asked": self.asked, "result": json.loads(messages.encode_error(self.failure))}
        assert self.download
        return {"asked": self.asked, "result": json.loads(messages.encode_result(self.download))}

    @classmethod
    def from_outcome(cls, outcome: Mapping[str, Any]) -> Self:
        """Return the look of which this is the stored outcome."""
        answer = json.dumps(outcome["result"], separators=(",", ":")).encode()
        try:
            return cls(asked=outcome["asked"], download=cast("FeedDownload", messages.decode_answer(answer)))
        except FEED_FAILURES as failure:
            return cls(asked=outcome["asked"], failure=failure)

    def newest(self, number: int, *, now: datetime) -> list[FeedEntry]:
        """Return the newest entries, at most `number`; those without a date count as of now."""
        entries = self.download.feed.entries if self.download and self.download.feed else ()
        return sorted(entries, key=lambda entry: entry.published_at or now, reverse=True)[:number]


def look(downloader: Downloader, addresses: Sequence[str]) -> FeedLook:
    """Return what comes from the first address that a feed can be read from; if none can, the first one's failure."""
    failed = []
    for address in addresses:
        try:
            return FeedLook(asked=address, download=downloader.feed(address))
        except FEED_FAILURES as failure:
            failed.append(FeedLook(asked=address, failure=failure))
    return failed[0]


def record(session: Session, feed: Feed, seen: FeedLook, *, now: datetime) -> None:
    """Store what came as a refresh of the feed, so that its server is not asked twice."""
    due = DueFeed(feed.id, feed.url, etag=None, last_modified=None, read_at=None, overruns=0)
    refreshing.store(session, due, FeedAttempt(download=seen.download, error=seen.failure), now=now)
