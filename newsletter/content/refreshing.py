"""Refresh the feeds that are due: fetch and parse each, and store its articles."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from newsletter.content import articles, feeds, issues
from newsletter.content.downloading.downloader import Downloader, FeedDownload, LimitExceeded
from newsletter.content.feeds import DueFeed, Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.parsing.decoding import FeedUnreadable
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

INTERVAL = timedelta(minutes=20)
MAX_INTERVAL = timedelta(days=1)  # between two attempts at a feed that keeps failing
CONCURRENCY = 8  # feeds fetched at the same time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeedRefresh:
    """The result of one attempt: a download or an error."""

    download: FeedDownload | None = None
    error: str | None = None


def refresh_due(begin: Begin, downloader: Downloader, *, now: datetime, limit: int = 20) -> int:
    """Refresh at most `limit` due feeds, several at a time; return how many were tried.

    A feed that fails stores the reason and is retried with growing intervals; it does not affect the others.
    """
    with begin() as session:
        due = feeds.claim_due(session, now=now, limit=limit)
    with ThreadPoolExecutor(CONCURRENCY) as threads:  # no transaction is open here
        for feed, refresh in zip(due, threads.map(partial(_download, downloader), due), strict=True):
            with begin() as session:
                new = record(session, feed, refresh, now=now)
            if refresh.error:
                log.warning("feed failed", extra={"feed": feed.id, "reason": refresh.error})
            else:
                log.info("feed refreshed", extra={"feed": feed.id, "new": new})
    return len(due)


def _download(downloader: Downloader, due: DueFeed) -> FeedRefresh:
    """Download one feed; never raises, but returns the error."""
    try:
        return FeedRefresh(downloader.feed(due.url, etag=due.etag, last_modified=due.last_modified))
    except (FetchError, FeedUnreadable, LimitExceeded) as error:
        return FeedRefresh(error=str(error))
    except Exception as error:  # noqa: BLE001 - a feed that triggers a bug of ours must not delay the others
        log_failure(log, "a feed cannot be refreshed", error, feed=due.id)
        return FeedRefresh(error="An internal error occurred while reading the feed; see the log.")


def record(session: Session, due: DueFeed, refresh: FeedRefresh, *, now: datetime) -> int:
    """Store the result of a refresh; return the number of new articles."""
    feed = session.get_one(Feed, due.id, with_for_update=True)
    feed.checked_at, feed.error = now, refresh.error
    feed.failures = feed.failures + 1 if refresh.error else 0
    feed.next_try_at = now + _interval(feed.failures)
    download = refresh.download
    if download and download.feed:
        feed.etag, feed.last_modified = download.etag, download.last_modified
        feed.title = download.feed.title or feed.title or urlsplit(feed.url).netloc
        return articles.upsert(session, feed.id, download.feed.entries, now=now, frozen=issues.frozen_article_ids())
    return 0


def _interval(failures: int) -> timedelta:
    """Return the time until the next attempt; it doubles with every failure after the first."""
    return min(INTERVAL * (1 << min(max(failures - 1, 0), 10)), MAX_INTERVAL)
