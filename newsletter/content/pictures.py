"""Copy the articles' lead pictures to our own host.

A letter never loads a picture from somebody else's server, which would see who reads it and when. A picture that could
not be copied is not shown.

An article has several candidates. One that is missing or unsuitable gives way to the next at once. One whose server is
unavailable is tried again later, and gives way to the next after the last try.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session, load_only

from newsletter import newsletters
from newsletter.content.articles import picture_files
from newsletter.content.articles.articles import Article
from newsletter.content.downloading.downloader import Downloader, DownloadInterrupted, PictureDownload
from newsletter.content.downloading.slots import MAX_WAIT, DownloadSlots, FreeSlots, SlotWork
from newsletter.content.feeds.feeds import Feed
from newsletter.content.fetching.destinations import ServerUnavailable
from newsletter.content.issues import issues
from newsletter.content.issues.issues import IssueArticle
from newsletter.errors import NewsletterError
from newsletter.store.database import Begin

MAX_AGE = timedelta(days=30)  # of an article whose picture is still copied
CONCURRENCY = 8  # pictures downloaded at the same time
MAX_SLOW = 8  # slow pictures beside these
CALL_SECONDS = 10.0  # that one call takes at most
# After each failed try of a candidate; it has one try more than there are pauses.
PAUSES = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6))
MAX_PAUSE = timedelta(days=1)  # that a server may ask for
PAUSE_AFTER_INTERRUPTION = timedelta(minutes=1)

log = logging.getLogger(__name__)


class _Try(NamedTuple):
    """A try to copy an article's current candidate, recorded before it is made."""

    article_id: int
    url: str


def slots(stop: Event | None = None) -> DownloadSlots:
    """Return the slots in which a process copies pictures. No copy begins once `stop` is set."""
    return DownloadSlots(CONCURRENCY, slow=MAX_SLOW, stop=stop)


def copy_new(
    begin: Begin,
    downloader: Downloader,
    *,
    now: datetime,
    limit: int | None = None,
    shared: DownloadSlots | None = None,
) -> int:
    """Copy the lead pictures of recent articles, several at a time; return for how many articles it was tried.

    Articles that were never tried come first, the newest of them before the others. Articles in approved issues keep
    the picture that was approved. The call ends within `CALL_SECONDS`; in `shared` slots, slow pictures go on without
    it.
    """
    used = shared or slots()

    def claim(free: FreeSlots) -> list[SlotWork]:
        with begin() as session:
            claimed = _claim(session, now=now, limit=free.number)
        return [SlotWork(partial(_copy, begin, downloader, planned, now)) for planned in claimed]

    begun = used.run(claim, seconds=CALL_SECONDS, limit=limit)
    if shared is None:
        used.wait(MAX_WAIT)
    return begun


def _copy(begin: Begin, downloader: Downloader, planned: _Try, now: datetime) -> None:
    """Try an article's candidates from the planned one on, until one is copied or has to be tried again later."""
    following: _Try | None = planned
    while following:
        result = _download(downloader, following)  # no transaction is open here
        with begin() as session:
            following = _record(session, following, result, now)


def _claim(session: Session, *, now: datetime, limit: int) -> list[_Try]:
    """Claim articles whose picture is due.

    The try is recorded before it is made, and with it the time of the next one. So a picture that crashes the worker
    blocks no other, and the try of a worker that was stopped is made up for.
    """
    never_tried = _waiting(now).where(Article.picture_url.is_not(None), Article.picture_tried_at.is_(None))
    newest = never_tried.order_by(Article.published_at.desc(), Article.id.desc())
    due_again = _waiting(now).where(Article.picture_due_at <= now, Article.picture_tried_at.is_not(None))
    articles = list(session.scalars(newest.limit(limit)))
    if len(articles) < limit:
        articles += session.scalars(due_again.order_by(Article.picture_due_at).limit(limit - len(articles)))
    claimed = []
    for article in articles:
        if article.picture_tried_at is None:
            article.picture_tries = 0
        if article.picture_tries <= len(PAUSES) or _advance(article):
            claimed.append(_begin(article, now))
    return claimed


def _waiting(now: datetime) -> Select[Article]:
    """Select recent articles without a picture that no approved issue contains and no other worker has claimed."""
    columns = (Article.picture_url, Article.pictures, Article.picture_tries, Article.picture_tried_at)
    return (
        select(Article)
        .options(load_only(*columns, raiseload=True))
        .where(
            Article.picture_sha256.is_(None),
            Article.first_seen_at > now - MAX_AGE,
            ~_is_frozen(),
        )
        .with_for_update(skip_locked=True)
    )


def _begin(article: Article, now: datetime) -> _Try:
    """Record a try of the article's current candidate."""
    article.picture_due_at = now + PAUSES[min(article.picture_tries, len(PAUSES) - 1)]
    article.picture_tries += 1
    article.picture_tried_at = now
    return _Try(article.id, article.picture_url or "")


def _advance(article: Article) -> bool:
    """Make the next candidate the current one; return False, and plan no further try, if there is none."""
    offered = article.pictures or []
    urls = [picture["url"] for picture in offered]
    position = urls.index(article.picture_url) + 1 if article.picture_url in urls else len(urls)
    article.picture_tries = 0
    if position == len(urls):
        article.picture_due_at = None
        return False
    article.picture_url, article.picture_alt = offered[position]["url"], offered[position]["alt"]
    return True


def _download(downloader: Downloader, planned: _Try) -> PictureDownload | NewsletterError:
    try:
        return downloader.picture(planned.url)
    except NewsletterError as error:
        return error


def _record(session: Session, done: _Try, result: PictureDownload | NewsletterError, now: datetime) -> _Try | None:
    """Record the result of a try; return the try of the next candidate, recorded as well, if there is one."""
    article = _unfrozen(session, done)
    if article is None:
        return None
    if isinstance(result, PictureDownload):
        article.picture_sha256, article.picture_due_at = picture_files.store(session, result, now=now), None
        return None
    log.info("picture not copied", extra={"article": article.id, "reason": str(result)})
    if isinstance(result, DownloadInterrupted):
        article.picture_tries -= 1
        article.picture_due_at = now + PAUSE_AFTER_INTERRUPTION
        return None
    if isinstance(result, ServerUnavailable) and article.picture_tries <= len(PAUSES):
        asked = min(result.retry_after or timedelta(), MAX_PAUSE)
        article.picture_due_at = now + max(PAUSES[article.picture_tries - 1], asked)
        return None
    return _begin(article, now) if _advance(article) else None


def _unfrozen(session: Session, done: _Try) -> Article | None:
    """Return the article; None if it was removed or approved, or if the feed has changed its picture meanwhile.

    The newsletter is locked, so that no issue is approved between this check and the commit.
    """
    feed = select(Feed.newsletter_id).join(Article, Article.feed_id == Feed.id).where(Article.id == done.article_id)
    newsletter_id = session.scalar(feed)
    if newsletter_id is None:
        return None
    newsletters.lock(session, newsletter_id)
    current = select(Article).where(Article.id == done.article_id, Article.picture_url == done.url)
    return session.scalar(current.where(~_is_frozen()).with_for_update())


def _is_frozen() -> ColumnElement[bool]:
    """Return the condition that an approved issue contains the article; it is asked of few articles by an index."""
    return issues.frozen_article_ids().where(IssueArticle.article_id == Article.id).exists()
