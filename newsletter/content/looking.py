"""Looks that somebody asked for at the desk: make them, and add a feed or change its address with what came.

So the address is asked once, by a worker, and never while a page waits.
"""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from newsletter.content import feed_changes, feed_looks
from newsletter.content.downloading.downloader import DownloadCancelled, Downloader
from newsletter.content.downloading.slots import DownloadSlots, FreeSlots, SlotWork
from newsletter.content.feed_looks import FeedLook
from newsletter.content.feeds import feed_addresses, feeds, requested_looks
from newsletter.content.feeds.feeds import Feed
from newsletter.content.feeds.requested_looks import RequestedLook, WaitingLook
from newsletter.errors import Refused
from newsletter.newsletters import Newsletter
from newsletter.store.database import Begin

CALL_SECONDS = 10.0  # that one call takes at most; a look that takes longer goes on without it


def look_at_requested(
    begin: Begin, downloader: Downloader, *, now: datetime, shared: DownloadSlots, seconds: float = CALL_SECONDS
) -> int:
    """Make the looks that wait, several at a time; return how many began."""

    def claim(free: FreeSlots) -> list[SlotWork]:
        with begin() as session:
            waiting = requested_looks.claim(session, now=now, limit=free.number)
        return [SlotWork(partial(_look, begin, downloader, each, now=now)) for each in waiting]

    return shared.run(claim, seconds=seconds)


def _look(begin: Begin, downloader: Downloader, waiting: WaitingLook, *, now: datetime) -> None:
    seen = feed_looks.look(downloader, feed_addresses.candidates(waiting.url))  # no transaction is open here
    with begin() as session:
        if isinstance(seen.failure, DownloadCancelled):
            requested_looks.release(session, waiting.id)
        else:
            requested_looks.finish(session, waiting.id, seen.outcome, now=now)


def seen(look: RequestedLook) -> FeedLook | None:
    """Return what came of a look; None while it waits."""
    return FeedLook.from_outcome(look.outcome) if look.outcome else None


def add(session: Session, look: RequestedLook, *, anyway: bool = False, actor: str, now: datetime) -> Feed:
    """Add the feed that was looked at to the look's newsletter, and store what came as its first refresh.

    A look that was added already returns the same feed. Raises Malformed if another feed has the address meanwhile,
    and Refused if no feed came and not `anyway`.
    """
    if look.feed_id is not None:
        return feeds.numbered(session, look.feed_id)
    came = _came(look, anyway=anyway)
    newsletter = session.get_one(Newsletter, look.newsletter_id)
    feed = feeds.add(session, newsletter, came.url, actor=actor, now=now)
    feed_looks.record(session, feed, came, now=now)
    look.feed_id = feed.id
    session.flush()
    return feed


def readdress(session: Session, look: RequestedLook, *, anyway: bool = False, actor: str, now: datetime) -> Feed:
    """Read the look's feed from the address that was looked at. Raises as `add` does.

    A feed that has the address already stays as it is.
    """
    assert look.feed_id
    came = _came(look, anyway=anyway)
    feed = feeds.numbered(session, look.feed_id, for_change=True)
    if feed.url != came.url:
        feed_changes.readdress(session, feed, came.url, actor=actor, now=now)
        feed_looks.record(session, feed, came, now=now)
    return feed


def _came(look: RequestedLook, *, anyway: bool) -> FeedLook:
    came = seen(look)
    if came is None:
        raise Refused("Nobody has looked at this address yet. Wait until the page shows what would come.")
    if came.failure and not anyway:
        raise Refused(f"No feed can be read from {came.asked}: {came.failure}")
    return came
