"""Refreshing: the feeds that are due are asked, and what they offer is taken in."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from newsletter import redaction
from newsletter.content import articles, feeds, issues
from newsletter.content.feeds import DueFeed, Feed
from newsletter.content.fetching.destinations import FetchError
from newsletter.content.fetching.fetcher import Fetcher, FetchResult
from newsletter.content.parsing.decoding import NotAFeed
from newsletter.content.parsing.entries import ParsedFeed
from newsletter.content.parsing.sandbox import read
from newsletter.store.database import Begin

INTERVAL = timedelta(minutes=20)
LONGEST_WAIT = timedelta(days=1)  # between two attempts at a feed that keeps failing
CONCURRENCY = 8  # feeds asked at the same time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeedRefresh:
    """What asking a feed has come to: nothing new (no feed), what it offers, or an error."""

    answer: FetchResult | None = None
    feed: ParsedFeed | None = None
    error: str | None = None


def refresh_due(begin: Begin, fetcher: Fetcher, *, now: datetime, limit: int = 20) -> int:
    """Ask the feeds that are due, some at a time, and take in what they offer; returns how many were asked.

    A feed that fails keeps its reason and is tried again later and later; the others go on.
    """
    with begin() as session:
        due = feeds.claim_due(session, now=now, limit=limit)
    with ThreadPoolExecutor(CONCURRENCY) as hands:  # no transaction is open here
        for feed, visit in zip(due, hands.map(partial(_ask, fetcher), due), strict=True):
            with begin() as session:
                new = _record(session, feed, visit, now=now)
            if visit.error:
                log.warning("feed failed", extra={"feed": feed.id, "reason": visit.error})
            else:
                log.info("feed refreshed", extra={"feed": feed.id, "new": new})
    return len(due)


def _ask(fetcher: Fetcher, due: DueFeed) -> FeedRefresh:
    """Fetch and read one feed. What is wrong with it is an answer too."""
    try:
        answer = fetcher.fetch(due.url, etag=due.etag, last_modified=due.last_modified)
        if answer.body is None:
            return FeedRefresh(answer)
        return FeedRefresh(answer, read(answer.body, url=answer.url, content_type=answer.content_type))
    except (FetchError, NotAFeed) as error:
        return FeedRefresh(error=str(error))
    except Exception as error:  # one feed that meets a bug of ours must not keep the others waiting
        log.exception("a feed could not be asked", exc_info=redaction.wordless(error), extra={"feed": due.id})
        return FeedRefresh(error="An error of ours has kept it from being read; the log says which.")


def _record(session: Session, due: DueFeed, visit: FeedRefresh, *, now: datetime) -> int:
    """Keep what came of it; returns how many articles are new."""
    feed = session.get_one(Feed, due.id, with_for_update=True)
    feed.checked_at, feed.error = now, visit.error
    feed.failures = feed.failures + 1 if visit.error else 0
    feed.next_try_at = now + _wait(feed.failures)
    if visit.answer and visit.feed:
        feed.etag, feed.last_modified = visit.answer.etag, visit.answer.last_modified
        feed.title = visit.feed.title or feed.title or urlsplit(feed.url).netloc
        return articles.upsert(session, feed.id, visit.feed.entries, now=now, frozen=issues.frozen_article_ids())
    return 0


def _wait(failures: int) -> timedelta:
    """Until the next attempt: twice as long after every failure but the first."""
    return min(INTERVAL * (1 << min(max(failures - 1, 0), 10)), LONGEST_WAIT)
