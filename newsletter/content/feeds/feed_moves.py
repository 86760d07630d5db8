"""Store the new address of a feed that its publisher has moved for good."""

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import audit_log, newsletters
from newsletter.content.feeds import feeds
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
    newsletters.lock(session, feed.newsletter_id)  # or another transaction could add a feed with this address
    if words := conflict(session, feed, new):
        return words
    feed.url = new
    fields = {"old": without_userinfo(old), "new": new}
    feeds.record_change(session, feed, "feed moved", actor=audit_log.WORKER, now=now, **fields)
    return None


def conflict(session: Session, feed: Feed, moved_to: str) -> str | None:
    """Return the words for a feed whose new address another feed has in any spelling; None if none has."""
    address = web_address(moved_to)
    other = feeds.with_address(session, feed.newsletter_id, address, besides=feed) if address else None
    if other is None:
        return None
    shown = without_userinfo(other.url)
    if other.removed_at:
        return f"The feed has moved to {shown}, an address that was removed from this newsletter."
    return f"The feed has moved to {shown}, which this newsletter reads as feed {other.id}. Remove one of the two."
