"""One feed: its state, what the last attempt said, its newest articles, and who changed it."""

import re
from datetime import timedelta
from typing import Any

from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from newsletter.content import feed_changes, feed_facts
from newsletter.content.articles import offered_articles
from newsletter.content.feeds import feeds
from newsletter.newsletters import Newsletter
from newsletter.operators.roles import Role
from newsletter.queues.wakeups import Queue
from newsletter.web.desk import changes
from newsletter.web.desk.feeds import health, looks
from newsletter.web.desk.feeds.overview import LATELY
from newsletter.web.desk.frame.access import DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.site import ReadingSession

NOTICES = {
    "added": "The feed is added. Its articles are candidates for the next issue.",
    "refreshing": "The feed is asked now. The result is shown here as soon as it is known.",
    "paused": "The feed is paused. It is asked no more until you resume it; its articles stay.",
    "resumed": "The feed is resumed, and asked now.",
    "renamed": "The title is changed.",
    "moved": "The feed has moved. Its articles in no issue went with it; issues keep theirs.",
    "readdressed": "The address is changed. Articles that it offers again are known and come in no second issue.",
}
REMARKS = {
    "edited": "Edited by its publisher",
    "changed after approval": "Its publisher changed it after its issue was approved",
    "withdrawn": "Withdrawn by its publisher; no later issue takes it",
    "archive": "More than 30 days old when it was first seen, so it is archive",
    "future": "Its date has not come yet",
}
WAIT = timedelta(seconds=90)  # for a refresh, while the page asks for its result

SECONDS = re.compile(r"[0-9]{1,11}")

router = DeskRouter()


@router.page("/feeds/{feed_id}", Role.VIEWER)
def shown(desk: CurrentDesk, session: ReadingSession, feed_id: int, since: str = "") -> HTMLResponse:
    """Show everything about one feed; `since` is when a refresh was asked for, as seconds of Unix time."""
    return page(desk, session, feed_id, since=int(since) if SECONDS.fullmatch(since) else 0)


@router.action("/feeds/{feed_id}/refresh", Role.EDITOR)
def refresh(desk: CurrentDesk, feed_id: int) -> Response:
    """Ask the feed now."""
    now = desk.site.now()
    with desk.site.database.writing() as session:
        feeds.make_due(session, feed_ids=[feed_id], actor=desk.operator.actor, now=now)
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/feeds/{feed_id}", "refreshing", since=str(int(now.timestamp())))


@router.action("/feeds/{feed_id}/pause", Role.EDITOR)
def pause(desk: CurrentDesk, feed_id: int) -> Response:
    """Ask the feed no more; a paused one stays so."""
    with desk.site.database.writing() as session:
        feed = feeds.numbered(session, feed_id, for_change=True)
        if not feed.paused_at:
            feed_changes.pause(session, feed, actor=desk.operator.actor, now=desk.site.now())
    return desk.done(f"/feeds/{feed_id}", "paused")


@router.action("/feeds/{feed_id}/resume", Role.EDITOR)
def resume(desk: CurrentDesk, feed_id: int) -> Response:
    """Ask a paused feed again; another one stays as it is."""
    now = desk.site.now()
    with desk.site.database.writing() as session:
        feed = feeds.numbered(session, feed_id, for_change=True)
        if feed.paused_at:
            feed_changes.resume(session, feed, actor=desk.operator.actor, now=now)
    desk.site.wakeups.wake(Queue.FEEDS)
    return desk.done(f"/feeds/{feed_id}", "resumed", since=str(int(now.timestamp())))


def page(
    desk: Desk,
    session: Session,
    feed_id: int,
    *,
    since: int = 0,
    entered: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    """Return the page of a feed; with errors, its forms as they were entered. Raises NotFound for a removed feed."""
    now = desk.site.now()
    feed = feeds.numbered(session, feed_id)
    reader = session.get_one(Newsletter, feed.newsletter_id)
    facts = feed_facts.facts(session, feed, reader, now=now)
    seconds = since if 0 < since <= now.timestamp() else 0
    is_asked = seconds and (feed.checked_at is None or feed.checked_at.timestamp() < seconds)
    may_edit = desk.operator.may(Role.EDITOR, reader.id)
    return desk.page(
        "feeds/feed",
        notices=NOTICES,
        reader=reader,
        facts=facts,
        health=health.of(facts),
        news=offered_articles.new_by_feed(session, [feed.id], since=now - LATELY, now=now)[feed.id],
        is_asked=is_asked and now.timestamp() - seconds < WAIT.total_seconds(),
        changes=changes.of(session, reader, f"feed:{feed.id}"),
        may_edit=may_edit,
        pairs=looks.editable_newsletters(session, desk, besides=reader.id) if may_edit else [],
        entered={"title": feed.own_title or "", "newsletter": "", **(entered or {})},
        errors=errors,
        since=since,
        remark_words=REMARKS,
    )
