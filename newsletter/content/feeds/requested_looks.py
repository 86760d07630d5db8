"""Looks at feed addresses that somebody asked for at the desk: a worker makes them, and the page shows the result."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import JSON, ForeignKey, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.newsletters import Newsletter
from newsletter.store.database import Base

LEASE_DURATION = timedelta(minutes=3)  # longer than a download may take; then another worker looks
KEPT = timedelta(days=1)


class RequestedLook(Base):
    """One look: what would come from an address before it is added to a newsletter, or becomes a feed's."""

    __tablename__ = "requested_looks"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    newsletter_id: Mapped[int] = mapped_column(ForeignKey("newsletters.id"))
    # The feed that may get the address, or that was added with it; None: no feed has it yet.
    feed_id: Mapped[int | None] = mapped_column(ForeignKey("feeds.id", ondelete="CASCADE"), default=None)
    url: Mapped[str]  # as it was entered
    actor: Mapped[str]
    requested_at: Mapped[datetime]
    looked_at: Mapped[datetime | None] = mapped_column(default=None)  # when a worker began; with an outcome, ended
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)  # see feed_looks

    @property
    def is_pending(self) -> bool:
        """Whether no worker has finished it yet."""
        return self.outcome is None


class WaitingLook(NamedTuple):
    """A look that this worker has claimed."""

    id: int
    url: str


def request(
    session: Session, newsletter: Newsletter, url: str, *, actor: str, now: datetime, feed: Feed | None = None
) -> RequestedLook:
    """Ask for a look at an address that the newsletter may add, or that may become the address of its `feed`.

    Asking twice while a look waits is one look. Raises Malformed for a bad address, and for one that another feed of
    the newsletter has.
    """
    feeds.check_new_address(session, newsletter, url, besides=feed)
    feed_id = feed.id if feed else None
    same = select(RequestedLook).where(
        RequestedLook.newsletter_id == newsletter.id,
        RequestedLook.feed_id.is_(None) if feed_id is None else RequestedLook.feed_id == feed_id,
        RequestedLook.url == url.strip(),
        RequestedLook.actor == actor,
        RequestedLook.outcome.is_(None),
        RequestedLook.requested_at > now - KEPT,
    )
    found = session.scalar(same.order_by(RequestedLook.id.desc()).limit(1))
    if found is None:
        found = RequestedLook(
            newsletter_id=newsletter.id, feed_id=feed_id, url=url.strip(), actor=actor, requested_at=now
        )
        session.add(found)
        session.flush()
    return found


def with_id(session: Session, look_id: int) -> RequestedLook | None:
    """Return the look with this id; None if there is none, or if it was deleted after a day."""
    return session.get(RequestedLook, look_id)


def claim(session: Session, *, now: datetime, limit: int) -> list[WaitingLook]:
    """Claim the looks that wait longest, at most `limit`; no other worker makes them during the lease."""
    overdue = or_(RequestedLook.looked_at.is_(None), RequestedLook.looked_at <= now - LEASE_DURATION)
    free = (
        select(RequestedLook.id)
        .where(RequestedLook.outcome.is_(None), overdue)
        .order_by(RequestedLook.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).cte("free")
    taken = update(RequestedLook).where(RequestedLook.id == free.c.id).values(looked_at=now)
    rows = session.execute(
        taken.returning(RequestedLook.id, RequestedLook.url), execution_options={"synchronize_session": False}
    )
    return [WaitingLook(*row) for row in rows]


def release(session: Session, look_id: int) -> None:
    """Give a claimed look back: it was not made."""
    session.execute(update(RequestedLook).where(RequestedLook.id == look_id).values(looked_at=None))


def finish(session: Session, look_id: int, outcome: dict[str, Any], *, now: datetime) -> None:
    """Store what came of a look."""
    session.execute(update(RequestedLook).where(RequestedLook.id == look_id).values(looked_at=now, outcome=outcome))


def delete_old(session: Session, *, now: datetime) -> int:
    """Delete the looks that were asked for more than a day ago; return how many."""
    old = delete(RequestedLook).where(RequestedLook.requested_at < now - KEPT).returning(RequestedLook.id)
    return len(session.scalars(old, execution_options={"synchronize_session": False}).all())
