"""Feeds: where articles come from, and when each is to be asked again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import ForeignKey, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content import articles, issues
from newsletter.content.decoding import NotAFeed
from newsletter.content.destinations import FetchError
from newsletter.content.entries import ParsedFeed, web_address
from newsletter.content.fetching import Answer, Fetcher
from newsletter.content.reading import read
from newsletter.database import Base, Begin
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter

INTERVAL = timedelta(minutes=20)
LONGEST_WAIT = timedelta(days=1)  # between two attempts at a feed that keeps failing
LEASE = timedelta(minutes=2)  # how long a worker has a feed to itself
HANDS = 8  # feeds asked at the same time


class Feed(Base):
    """A feed that a newsletter reads. `error` is the reason why the last attempt failed, in an operator's words."""

    __tablename__ = "feeds"
    __table_args__ = (UniqueConstraint("newsletter_id", "url"),)

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    url: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    etag: Mapped[str | None] = mapped_column(default=None)
    last_modified: Mapped[str | None] = mapped_column(default=None)
    added_at: Mapped[datetime]
    checked_at: Mapped[datetime | None] = mapped_column(default=None)
    next_try_at: Mapped[datetime] = mapped_column(index=True)
    failures: Mapped[int] = mapped_column(default=0)  # in a row; a success sets it back
    error: Mapped[str | None] = mapped_column(default=None)


@dataclass(frozen=True)
class Due:
    """A feed that this worker alone may ask now."""

    id: int
    url: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Visit:
    """What asking a feed has come to: nothing new (no feed), what it offers, or an error."""

    answer: Answer | None = None
    feed: ParsedFeed | None = None
    error: str | None = None


def add(session: Session, newsletter: Newsletter, url: str, *, now: datetime) -> Feed:
    """Let a newsletter read a feed; it is asked at once, and only then turns out to be one."""
    address = web_address(url.strip())
    if address is None:
        raise Malformed("url", f"“{url}” is not a whole web address, such as https://example.org/feed.xml.")
    if session.scalar(select(Feed.id).where(Feed.newsletter_id == newsletter.id, Feed.url == address)):
        raise Malformed("url", f"“{newsletter.name}” reads that feed already.")
    feed = Feed(newsletter_id=newsletter.id, url=address, added_at=now, next_try_at=now)
    session.add(feed)
    session.flush()
    return feed


def every(session: Session) -> list[tuple[Feed, Newsletter]]:
    """All feeds with the newsletters that read them."""
    both = select(Feed, Newsletter).join(Newsletter, Newsletter.id == Feed.newsletter_id)
    return [(feed, newsletter) for feed, newsletter in session.execute(both.order_by(Newsletter.slug, Feed.id))]


def make_due(session: Session, *, now: datetime) -> None:
    """Let every feed be asked now, whatever its turn would be."""
    session.execute(update(Feed).values(next_try_at=now))


def refresh_due(begin: Begin, fetcher: Fetcher, *, now: datetime, limit: int = 20) -> int:
    """Ask the feeds that are due, some at a time, and take in what they offer; returns how many were asked.

    A feed that fails keeps its reason and is tried again later and later; the others go on.
    """
    with begin() as session:
        due = claim_due(session, now=now, limit=limit)
    with ThreadPoolExecutor(HANDS) as hands:  # no transaction is open here
        for feed, visit in zip(due, hands.map(partial(_ask, fetcher), due), strict=True):
            with begin() as session:
                _record(session, feed, visit, now=now)
    return len(due)


def claim_due(session: Session, *, now: datetime, limit: int) -> list[Due]:
    """Take the feeds longest due, for this worker alone, until the lease runs out."""
    free = (
        select(Feed.id)
        .where(Feed.next_try_at <= now)
        .order_by(Feed.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).cte("free")
    take = (
        update(Feed)
        .where(Feed.id == free.c.id)
        .values(next_try_at=now + LEASE)
        .returning(Feed.id, Feed.url, Feed.etag, Feed.last_modified)
    )
    return [Due(*row) for row in session.execute(take, execution_options={"synchronize_session": False})]


def _ask(fetcher: Fetcher, due: Due) -> Visit:
    """Fetch and read one feed. What is wrong with it is an answer too."""
    try:
        answer = fetcher.fetch(due.url, etag=due.etag, last_modified=due.last_modified)
        if answer.body is None:
            return Visit(answer)
        return Visit(answer, read(answer.body, url=answer.url, content_type=answer.content_type))
    except (FetchError, NotAFeed) as error:
        return Visit(error=str(error))


def _record(session: Session, due: Due, visit: Visit, *, now: datetime) -> None:
    feed = session.get_one(Feed, due.id, with_for_update=True)
    feed.checked_at, feed.error = now, visit.error
    feed.failures = feed.failures + 1 if visit.error else 0
    feed.next_try_at = now + _wait(feed.failures)
    if visit.answer and visit.feed:
        feed.etag, feed.last_modified = visit.answer.etag, visit.answer.last_modified
        feed.title = visit.feed.title or feed.title or urlsplit(feed.url).netloc
        articles.absorb(session, feed.id, visit.feed.entries, now=now, printed=issues.printed())


def _wait(failures: int) -> timedelta:
    """Until the next attempt: twice as long after every failure but the first."""
    return min(INTERVAL * (1 << min(max(failures - 1, 0), 10)), LONGEST_WAIT)
