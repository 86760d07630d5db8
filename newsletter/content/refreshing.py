"""Refresh the feeds that are due: fetch and parse each, and store its articles."""

import logging
from datetime import datetime
from functools import partial
from threading import Event

from sqlalchemy.orm import Session

from newsletter.content import storing
from newsletter.content.downloading.downloader import DownloadCancelled, Downloader
from newsletter.content.downloading.slots import MAX_WAIT, DownloadSlots, FreeSlots, SlotWork
from newsletter.content.feeds import feed_attempts, feeds
from newsletter.content.feeds.feed_attempts import FeedAttempt
from newsletter.content.feeds.feeds import DueFeed
from newsletter.redaction import log_failure
from newsletter.store.database import Begin

CONCURRENCY = 8  # feeds downloaded at the same time
MAX_SLOW = 16  # slow feeds beside these; they wait rather than compute
MAX_COSTLY = 2  # of all, feeds that exceeded a limit the last time
CALL_SECONDS = 10.0  # that one call takes at most; a feed's own limits are longer

log = logging.getLogger(__name__)


def slots(stop: Event | None = None) -> DownloadSlots:
    """Return the slots in which a process refreshes feeds. No refresh begins once `stop` is set."""
    return DownloadSlots(CONCURRENCY, slow=MAX_SLOW, costly=MAX_COSTLY, stop=stop)


def refresh_due(
    begin: Begin,
    downloader: Downloader,
    *,
    now: datetime,
    limit: int | None = None,
    shared: DownloadSlots | None = None,
    seconds: float = CALL_SECONDS,
) -> int:
    """Refresh the feeds that are due, several at a time; return how many were tried.

    Each feed is claimed when a slot is free for it and recorded as soon as it is read, so a slow feed delays no other.
    A feed that fails stores the reason and is retried with growing intervals. The call ends within so many seconds; in
    `shared` slots, feeds that take longer go on without it.
    """
    used = shared or slots()

    def claim(free: FreeSlots) -> list[SlotWork]:
        with begin() as session:
            due = feeds.claim_due(session, now=now, limit=free.number, costly=free.costly)
        return [
            SlotWork(partial(_refresh, begin, downloader, feed, now=now), is_costly=feed.overruns > 0) for feed in due
        ]

    begun = used.run(claim, seconds=seconds, limit=limit)
    if shared is None:
        used.wait(MAX_WAIT)
    return begun


def _refresh(begin: Begin, downloader: Downloader, due: DueFeed, *, now: datetime) -> None:
    attempt = feed_attempts.attempt(downloader, due, now=now)  # no transaction is open here
    if isinstance(attempt.error, DownloadCancelled):
        with begin() as session:
            feeds.release(session, due, now=now)
        return
    _record(begin, due, attempt, now=now)


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
    return storing.store(session, feed, attempt.download.feed, now=now)
