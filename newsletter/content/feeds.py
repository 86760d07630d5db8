"""Feeds: the addresses that articles come from, and when each is fetched next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, and_, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.sanitizing import without_userinfo
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

LEASE_DURATION = timedelta(minutes=2)  # until another worker may claim the feed


class Feed(Base):
    """A feed that a newsletter reads. `error` tells an operator why the last attempt failed."""

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
    failures: Mapped[int] = mapped_column(default=0)  # in a row; a success resets it
    error: Mapped[str | None] = mapped_column(default=None)
    own_title: Mapped[str | None] = mapped_column(default=None)  # given by an operator; the feed's does not replace it
    read_at: Mapped[datetime | None] = mapped_column(default=None)  # when a whole document was last parsed
    overruns: Mapped[int] = mapped_column(default=0, server_default="0")  # times in a row that it exceeded a limit
    paused_at: Mapped[datetime | None] = mapped_column(default=None)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)  # the row stays for articles in issues


ACTIVE = and_(Feed.paused_at.is_(None), Feed.removed_at.is_(None))  # asked when due; other feeds are never late


@dataclass(frozen=True)
class DueFeed:
    """A feed that this worker has claimed."""

    id: int
    url: str
    etag: str | None
    last_modified: str | None
    read_at: datetime | None  # when a whole document was last parsed
    overruns: int  # times in a row that it exceeded a limit


def add(session: Session, newsletter: Newsletter, url: str, *, actor: str, now: datetime) -> Feed:
    """Add a feed to a newsletter, due at once. Raises Malformed for a bad or a duplicate address.

    Only the first fetch shows whether the address is a feed.
    """
    if without_userinfo(url) != url:  # a password in the address would reach readers, screens and logs
        raise Malformed("url", "Remove the user name and password from the address; only public feeds can be read.")
    address = web_address(url.strip())
    if address is None:
        raise Malformed("url", f"“{url}” is not a full web address such as https://example.org/feed.xml.")
    if session.scalar(select(Feed.id).where(Feed.newsletter_id == newsletter.id, Feed.url == address)):
        raise Malformed("url", f"“{newsletter.name}” already has this feed.")
    feed = Feed(newsletter_id=newsletter.id, url=address, added_at=now, next_try_at=now)
    session.add(feed)
    session.flush()
    subject = f"feed:{feed.id}"
    audit_log.record(session, actor=actor, verb="feed added", subject=subject, now=now, newsletter=newsletter.slug)
    return feed


def every(session: Session) -> list[tuple[Feed, Newsletter]]:
    """Return all feeds with the newsletters that read them, by newsletter."""
    both = select(Feed, Newsletter).join(Newsletter, Newsletter.id == Feed.newsletter_id)
    return [(feed, newsletter) for feed, newsletter in session.execute(both.order_by(Newsletter.slug, Feed.id))]


def make_due(session: Session, *, actor: str, now: datetime) -> None:
    """Make every feed due now."""
    session.execute(update(Feed).values(next_try_at=now))
    audit_log.record(session, actor=actor, verb="feeds refreshed", subject="feeds", now=now)


def claim_due(session: Session, *, now: datetime, limit: int, costly: int | None = None) -> list[DueFeed]:
    """Claim the feeds that have been due longest, at most `limit`; no other worker claims them during the lease.

    At most `costly` of them are feeds that exceeded a limit the last time.
    """
    if costly is None:
        return _claim(session, true(), now=now, limit=limit)
    again = _claim(session, Feed.overruns > 0, now=now, limit=costly) if costly else []
    return [*again, *_claim(session, Feed.overruns == 0, now=now, limit=limit - len(again))]


def release(session: Session, due: DueFeed, *, now: datetime) -> None:
    """Make a claimed feed due again: it was not tried."""
    session.execute(update(Feed).where(Feed.id == due.id).values(next_try_at=now))


def _claim(session: Session, which: ColumnElement[bool], *, now: datetime, limit: int) -> list[DueFeed]:
    free = (
        select(Feed.id)
        .where(Feed.next_try_at <= now, ACTIVE, which)
        .order_by(Feed.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).cte("free")
    claim = (
        update(Feed)
        .where(Feed.id == free.c.id)
        .values(next_try_at=now + LEASE_DURATION)
        .returning(Feed.id, Feed.url, Feed.etag, Feed.last_modified, Feed.read_at, Feed.overruns)
    )
    return [DueFeed(*row) for row in session.execute(claim, execution_options={"synchronize_session": False})]
