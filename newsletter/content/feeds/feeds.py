"""Feeds: the addresses that articles come from, and when each is fetched next."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, and_, func, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter import audit_log, newsletters
from newsletter.content.feeds import feed_addresses
from newsletter.content.parsing.texts.sanitizing import without_userinfo
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

LEASE_DURATION = timedelta(minutes=2)  # until another worker may claim the feed
# Workers look for due feeds every minute and read some dozens a second, so ten minutes are enough for thousands that
# are due at once. It is half the interval at which a feed is read.
LATE = timedelta(minutes=10)
# Others may insert rows that refer to the locked feed. A stronger lock would forbid it, and two transactions would wait
# for each other: one that has locked this feed waits for the newsletter, and one that has locked the newsletter lets
# articles refer to this feed. PostgreSQL takes the stronger lock to change `url` or `newsletter_id`, so lock the
# newsletter before.
ROW_LOCK: dict[str, Any] = {"key_share": True}


class Feed(Base):
    """A feed that a newsletter reads. `error` tells an operator why the last attempt failed.

    The release before this one does not know `paused_at` and `removed_at`: while both run, it may still ask such a
    feed, which does no harm.
    """

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
    # The first failure in a row. It means nothing while `failures` is 0: the release before does not reset it.
    failing_since: Mapped[datetime | None] = mapped_column(default=None)

    def late_since(self, now: datetime) -> datetime | None:
        """Return since when the feed has been due if no worker has asked it for too long; None otherwise."""
        is_late = not self.paused_at and now - self.next_try_at > LATE
        return self.next_try_at if is_late else None

    @property
    def shown_title(self) -> str:
        """The title that readers and operators see, empty if none is known: the operator's own wins over the feed's."""
        return self.own_title or self.title

    @property
    def shown_name(self) -> str:
        """The title, or the address as people write it."""
        return self.shown_title or self.shown_url.partition("://")[2].rstrip("/")

    @property
    def shown_url(self) -> str:
        """The address without a password, which rows of older releases may still hold."""
        return without_userinfo(self.url)


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

    A feed that was removed begins anew: its old articles, if issues hold any, are not news again. Nothing is fetched
    here; `feed_looks` shows whether the address is a feed.
    """
    address = feed_addresses.candidates(url)[0]
    newsletters.lock(session, newsletter.id)  # or another transaction could add another spelling of the address
    feed = unused_address(session, newsletter, address)
    if feed is None:
        feed = Feed(newsletter_id=newsletter.id, url=address, added_at=now, next_try_at=now)
        session.add(feed)
    else:
        feed.removed_at = feed.paused_at = feed.own_title = None
        feed.added_at = now
        begin_anew(feed, address, now=now)
    session.flush()
    record_change(session, feed, "feed added", actor=actor, now=now, newsletter=newsletter.slug)
    return feed


def check_new_address(session: Session, newsletter: Newsletter, url: str, *, besides: Feed | None = None) -> None:
    """Raise Malformed for an address, as a person wrote it, that the newsletter cannot take; nothing is asked."""
    for address in feed_addresses.candidates(url):
        unused_address(session, newsletter, address, besides=besides)


def unused_address(session: Session, newsletter: Newsletter, url: str, *, besides: Feed | None = None) -> Feed | None:
    """Raise Malformed if a feed of the newsletter, other than `besides`, has the address in any spelling.

    Return the removed feed that had it, or None.
    """
    found = with_address(session, newsletter.id, url, besides=besides)
    if found and found.removed_at is None:
        shown = without_userinfo(found.url)
        raise Malformed("url", f"“{newsletter.name}” already has this feed: it is feed {found.id}, {shown}")
    return found


def with_address(session: Session, newsletter_id: int, url: str, *, besides: Feed | None = None) -> Feed | None:
    """Return the newsletter's feed, other than `besides`, that has the address in any spelling; else a removed one."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    similar = select(Feed).where(Feed.newsletter_id == newsletter_id)
    if host.isascii() and "xn--" not in host:  # an international host has two encodings
        similar = similar.where(func.lower(Feed.url).contains(host, autoescape=True))
    key = feed_addresses.same_feed_key(url)
    same = [each for each in session.scalars(similar) if each is not besides and _key(each) == key]
    return min(same, key=lambda feed: feed.removed_at is not None, default=None)


def begin_anew(feed: Feed, url: str, *, now: datetime) -> None:
    """Set the feed's address, forget what attempts at the old one said, and make it due."""
    feed.url, feed.next_try_at = url, now
    feed.etag = feed.last_modified = feed.error = feed.checked_at = feed.read_at = feed.failing_since = None
    feed.failures = feed.overruns = 0


def numbered(session: Session, feed_id: int, *, for_change: bool = False) -> Feed:
    """Return the feed with that id, locked if it is to be changed. Raises NotFound if it is unknown or was removed."""
    feed = session.get(Feed, feed_id, with_for_update=ROW_LOCK if for_change else None)
    if feed is None:
        raise NotFound(f"There is no feed {feed_id}.")
    if feed.removed_at:
        raise NotFound(f"Feed {feed_id} was removed on {feed.removed_at:%Y-%m-%d}. To read it again, add its address.")
    return feed


def record_change(session: Session, feed: Feed, verb: str, *, actor: str, now: datetime, **facts: Any) -> None:
    """Add a change of a feed to the audit log."""
    audit_log.record(
        session, actor=actor, verb=verb, subject=f"feed:{feed.id}", newsletter_id=feed.newsletter_id, now=now, **facts
    )


def every(session: Session, *conditions: ColumnElement[bool]) -> list[tuple[Feed, Newsletter]]:
    """Return all feeds except removed ones, with the newsletters that read them, by newsletter."""
    both = select(Feed, Newsletter).join(Newsletter, Newsletter.id == Feed.newsletter_id).where(*conditions)
    both = both.where(Feed.removed_at.is_(None))
    return [(feed, newsletter) for feed, newsletter in session.execute(both.order_by(Newsletter.slug, Feed.id))]


def make_due(session: Session, *, actor: str, now: datetime, feed_ids: Collection[int] = ()) -> None:
    """Make the feeds with these ids due now, by default every feed that is not paused.

    Raises NotFound for an unknown id, and Refused for a paused feed.
    """
    for feed_id in feed_ids:
        if numbered(session, feed_id).paused_at:
            raise Refused(f"Feed {feed_id} is paused. Resume it first.")
    # Locked in one order, because an UPDATE alone takes any, and two of them would wait for each other.
    chosen = (
        select(Feed.id, Feed.newsletter_id)
        .where(ACTIVE, Feed.id.in_(feed_ids) if feed_ids else true())
        .order_by(Feed.id)
    )
    owners = {row.id: row.newsletter_id for row in session.execute(chosen.with_for_update(**ROW_LOCK))}
    session.execute(update(Feed).where(Feed.id.in_(owners)).values(next_try_at=now))
    which = {"feeds": sorted(feed_ids)} if feed_ids else {}
    only = set(owners.values()) if feed_ids else set()
    audit_log.record(
        session,
        actor=actor,
        verb="feeds refreshed",
        subject="feeds",
        newsletter_id=only.pop() if len(only) == 1 else None,
        now=now,
        **which,
    )


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


def _key(feed: Feed) -> str:
    try:
        return feed_addresses.same_feed_key(feed.url)
    except ValueError:  # a row from an older release
        return feed.url
