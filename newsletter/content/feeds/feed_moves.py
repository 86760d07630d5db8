"""Store the new address of a feed that its publisher has moved for good."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import audit_log
from newsletter.content.feeds.feeds import Feed
from newsletter.content.parsing.feed_links import web_address
from newsletter.content.parsing.texts.sanitizing import without_userinfo


def move(session: Session, feed: Feed, moved_to: str, *, now: datetime) -> str | None:
    """Change the address of a feed that was just read at `moved_to`; the audit log tells the old and the new one.

    If another feed of the newsletter has that address, change nothing, and return what the operator should do.
    """
    old, new = feed.url, web_address(moved_to)
    if new is None or new == old:
        return None
    if words := conflict(session, feed, new):
        return words
    try:
        with session.begin_nested():
            feed.url = new
            session.flush()
    except IntegrityError:  # another transaction has just added a feed with this address
        session.refresh(feed, ["url"])
        return conflict(session, feed, new)
    fields = {"old": without_userinfo(old), "new": new}
    subject = f"feed:{feed.id}"
    audit_log.record(session, actor=audit_log.WORKER, verb="feed moved", subject=subject, now=now, **fields)
    return None


def conflict(session: Session, feed: Feed, moved_to: str) -> str | None:
    """Return the words for a feed that cannot take its new address because another has it; None if none has."""
    same = (Feed.newsletter_id == feed.newsletter_id, Feed.url == web_address(moved_to), Feed.id != feed.id)
    other = session.scalar(select(Feed).where(*same))
    if other is None:
        return None
    if other.removed_at:
        return f"The feed has moved to {other.url}, an address that was removed from this newsletter."
    return f"The feed has moved to {other.url}, which this newsletter reads as feed {other.id}. Remove one of the two."
