"""Try to read one feed, and store in its row how that went and when it is tried again."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from newsletter.content.downloading.downloader import (
    FEED_FAILURES,
    Downloader,
    DownloadInterrupted,
    FeedDownload,
    LimitExceeded,
)
from newsletter.content.feeds import feed_moves
from newsletter.content.feeds.feeds import ROW_LOCK, DueFeed, Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from newsletter.content.parsing.texts.sanitizing import UNSTORABLE, one_line
from newsletter.content.parsing.texts.shortening import excerpt
from newsletter.redaction import log_failure

INTERVAL = timedelta(minutes=20)  # at most, between two attempts at a feed that works
MAX_INTERVAL = timedelta(days=1)  # between two attempts at a feed that keeps failing
LIMIT_INTERVAL, MAX_LIMIT_INTERVAL = timedelta(hours=2), timedelta(days=2)  # after it exceeded a limit
FULL_INTERVAL = timedelta(days=1)  # after which a feed is asked for whole, in case its 304 is wrong
SPREAD = 0.1  # the part of an interval by which feeds that were asked together differ the next time
GOLDEN_RATIO = 0.618034  # its multiples lie evenly between whole numbers, however many there are
MAX_ERROR = 500  # characters

INTERNAL_ERROR = "An internal error occurred while reading the feed; see the log."
INTERRUPTED = "This service could not finish reading the feed, which is not the feed's fault: {} It tries again soon."

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FeedAttempt:
    """The result of one attempt: a download, or the error that prevented it."""

    download: FeedDownload | None = None
    error: Exception | None = None


def attempt(downloader: Downloader, due: DueFeed, *, now: datetime) -> FeedAttempt:
    """Download a feed; never raise, but return the error.

    The request is conditional if a whole document was read within the last day. So a server that answers 304 for ever
    cannot hide new entries for longer (a 304 of a feed that has changed is not rare).
    """
    is_recent = due.read_at is not None and now - due.read_at < FULL_INTERVAL
    etag, last_modified = (due.etag, due.last_modified) if is_recent else (None, None)
    try:
        return FeedAttempt(download=downloader.feed(due.url, etag=etag, last_modified=last_modified))
    except FEED_FAILURES as error:
        return FeedAttempt(error=error)
    except Exception as error:  # noqa: BLE001 - a feed that triggers a bug of ours must not delay the others
        log_failure(log, "a feed cannot be refreshed", error, feed=due.id)
        return FeedAttempt(error=error)


def record(session: Session, due: DueFeed, attempt: FeedAttempt, *, now: datetime) -> Feed | None:
    """Store the result of an attempt in the feed's row, and return the row.

    Return None if the feed was removed or got another address meanwhile: then the result says nothing about it.
    """
    feed = session.get(Feed, due.id, with_for_update=ROW_LOCK)
    if feed is None or feed.removed_at or feed.url != due.url:
        return None
    feed.checked_at = now
    if attempt.error:
        _record_failure(feed, attempt.error, now=now)
    elif attempt.download:
        _record_success(session, feed, attempt.download, now=now)
    session.flush()
    return feed


def _record_success(session: Session, feed: Feed, download: FeedDownload, *, now: datetime) -> None:
    feed.failures, feed.overruns, feed.error, feed.failing_since = 0, 0, None, None
    feed.next_try_at = now + _early(INTERVAL, feed)
    parsed = download.feed
    if parsed is None:  # RFC 9110 section 15.4.5: the validators of a 304 are those of the document that we have
        feed.etag, feed.last_modified = download.etag or feed.etag, download.last_modified or feed.last_modified
        if download.moved_to:  # only a document proves that a feed is there, so the move waits for one
            feed.error = feed_moves.conflict(session, feed, download.moved_to)
        return
    feed.title = parsed.title or feed.title or urlsplit(feed.url).netloc
    if not parsed.is_complete:  # without validators the rest comes with the next attempt
        feed.etag = feed.last_modified = None
        return
    feed.etag, feed.last_modified, feed.read_at = download.etag, download.last_modified, now
    if download.moved_to:
        feed.error = feed_moves.move(session, feed, download.moved_to, now=now)


def _record_failure(feed: Feed, error: Exception, *, now: datetime) -> None:
    """Store whose fault a failure is, in words, and how long the feed has to wait for it."""
    match error:
        case LimitExceeded():
            _count_failure(feed, now=now)
            feed.overruns += 1
            feed.next_try_at = now + _doubled(LIMIT_INTERVAL, feed.overruns, MAX_LIMIT_INTERVAL)
            reason = f"{error} The next try is at {feed.next_try_at:%H:%M UTC on %Y-%m-%d}."
        case FetchError() | FeedUnreadable():
            _count_failure(feed, now=now)
            asked = (error.retry_after if isinstance(error, FetchError) else None) or timedelta(0)
            wait = _early(_doubled(INTERVAL, feed.failures, MAX_INTERVAL), feed)
            feed.next_try_at = now + max(wait, asked)
            reason = f"{error}{_last_read(feed, error)}"
        case DownloadInterrupted():
            feed.next_try_at = now + _early(INTERVAL, feed)
            reason = INTERRUPTED.format(error)
        case _:  # a bug of ours; without validators the next request is the plainest possible
            feed.next_try_at = now + _early(INTERVAL, feed)
            feed.etag = feed.last_modified = None
            reason = INTERNAL_ERROR
    feed.error = excerpt(one_line(UNSTORABLE.sub(" ", reason)), MAX_ERROR)


def _count_failure(feed: Feed, *, now: datetime) -> None:
    if feed.failures == 0 or feed.failing_since is None:
        feed.failing_since = now
    feed.failures += 1


def _last_read(feed: Feed, error: Exception) -> str:
    """Return a sentence about a feed that worked before, to tell a change at the publisher from a wrong address."""
    if feed.read_at is None:
        return ""
    cause = " Its publisher may have moved it or closed it to robots." if isinstance(error, FeedUnreadable) else ""
    return f" The feed was last read on {feed.read_at:%Y-%m-%d}.{cause}"


def _doubled(first: timedelta, times: int, longest: timedelta) -> timedelta:
    """Return an interval that doubles with every time after the first."""
    return min(first * (1 << min(max(times - 1, 0), 10)), longest)


def _early(interval: timedelta, feed: Feed) -> timedelta:
    """Return the interval, shortened a little by the feed's id, so that feeds added together are not asked together."""
    return interval * (1 - SPREAD * (feed.id * GOLDEN_RATIO % 1))
