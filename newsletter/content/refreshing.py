"""Refresh the feeds that are due: fetch and parse each, and store its articles."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from newsletter.content import articles, feed_attempts, feeds, issues
from newsletter.content.downloading.downloader import Downloader
from newsletter.content.feed_attempts import FeedAttempt
from newsletter.content.feeds import DueFeed
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

CONCURRENCY = 8  # feeds fetched at the same time

log = logging.getLogger(__name__)


def refresh_due(begin: Begin, downloader: Downloader, *, now: datetime, limit: int = 20) -> int:
    """Refresh at most `limit` due feeds, several at a time; return how many were tried.

    A feed that fails stores the reason and is retried with growing intervals; it does not affect the others.
    """
    with begin() as session:
        due = feeds.claim_due(session, now=now, limit=limit)
    with ThreadPoolExecutor(CONCURRENCY) as threads:  # no transaction is open here
        attempts = threads.map(partial(feed_attempts.attempt, downloader, now=now), due)
        for feed, attempt in zip(due, attempts, strict=True):
            _record(begin, feed, attempt, now=now)
    return len(due)


def _record(begin: Begin, due: DueFeed, attempt: FeedAttempt, *, now: datetime) -> None:
    """Store the result of an attempt and the feed's articles. If that fails, store that the fault is ours."""
    try:
        with begin() as session:
            new = store(session, due, attempt, now=now)
    except Exception as error:  # noqa: BLE001 - a feed that cannot be stored must not delay the others
        log_failure(log, "a feed cannot be stored", error, feed=due.id)
        attempt = FeedAttempt(error=error)
        with begin() as session:
            new = store(session, due, attempt, now=now)
    if attempt.error:
        log.warning("feed failed", extra={"feed": due.id, "reason": str(attempt.error)})
    else:
        log.info("feed refreshed", extra={"feed": due.id, "new": new})


def store(session: Session, due: DueFeed, attempt: FeedAttempt, *, now: datetime) -> int:
    """Store the result of an attempt; return the number of new articles."""
    feed = feed_attempts.record(session, due, attempt, now=now)
    if feed is None or attempt.download is None or attempt.download.feed is None:
        return 0
    entries = attempt.download.feed.entries
    return articles.upsert(session, feed.id, entries, now=now, frozen=issues.frozen_article_ids())
