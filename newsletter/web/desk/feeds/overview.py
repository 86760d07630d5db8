"""The list of feeds: by newsletter, with what each brought and what is wrong."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, NamedTuple

from fastapi.responses import HTMLResponse
from sqlalchemy import case, func, select, tuple_
from sqlalchemy.orm import Session

from newsletter.content import feed_facts
from newsletter.content.articles import offered_articles
from newsletter.content.feeds.feeds import ACTIVE, Feed
from newsletter.newsletters import Newsletter
from newsletter.operators.grants import Grants
from newsletter.operators.roles import Role
from newsletter.web import whole_numbers
from newsletter.web.desk.feeds import health
from newsletter.web.desk.frame.access import AccessScope, DeskRouter
from newsletter.web.desk.frame.desk import CurrentDesk, Desk
from newsletter.web.site import ReadingSession

PAGE_ROWS = 50
LATELY = timedelta(days=7)
NOTICES = {"removed": "The feed is removed. Its articles in issues stay."}

router = DeskRouter()


class FeedTotals(NamedTuple):
    """How many feeds there are, and of these how many fail or are paused."""

    feeds: int
    failing: int
    paused: int


@router.page("/feeds", Role.VIEWER, AccessScope.SOMEWHERE)
def listed(desk: CurrentDesk, session: ReadingSession, after: str = "") -> HTMLResponse:
    """List the feeds of the operator's newsletters, 50 on a page."""
    grants = desk.operator.grants
    counted = _counts(session, grants)
    found = _found(session, grants, after)
    shown, more = found[:PAGE_ROWS], found[PAGE_ROWS:]
    last = shown[-1][0] if more else None
    return desk.page(
        "feeds/list",
        notices=NOTICES,
        headline=_headline(*counted),
        sections=_sections(session, desk, shown),
        older=f"{last.newsletter_id}-{last.id}" if last else None,
        may_add=grants.may_somewhere(Role.EDITOR),
    )


def _counts(session: Session, grants: Grants) -> FeedTotals:
    """Count the feeds, and of them the failing and the paused ones. The table has a row for each feed only."""
    failing = case((ACTIVE & Feed.error.is_not(None), 1))
    paused = case((Feed.paused_at.is_not(None), 1))
    counted = select(
        func.count().label("feeds"), func.count(failing).label("failing"), func.count(paused).label("paused")
    )
    row = session.execute(counted.where(Feed.removed_at.is_(None), grants.among(Feed.newsletter_id))).one()
    return FeedTotals(*row)


def _found(session: Session, grants: Grants, after: str) -> list[tuple[Feed, Newsletter]]:
    both = select(Feed, Newsletter).join(Newsletter, Newsletter.id == Feed.newsletter_id)
    both = both.where(Feed.removed_at.is_(None), grants.among(Feed.newsletter_id))
    newsletter_id, _, feed_id = after.partition("-")
    place = whole_numbers.parse(newsletter_id), whole_numbers.parse(feed_id)
    if None not in place:
        both = both.where(tuple_(Feed.newsletter_id, Feed.id) > tuple_(*place))
    rows = session.execute(both.order_by(Feed.newsletter_id, Feed.id).limit(PAGE_ROWS + 1))
    return [(feed, newsletter) for feed, newsletter in rows]


def _headline(feeds: int, failing: int, paused: int) -> str:
    if not feeds:
        return "No feeds yet"
    asked = feeds - paused
    if failing:
        rest = f" of {asked} feeds" if asked > 1 else " feed"
        return f"{'One' if failing == 1 else failing}{rest} need{'s' if failing == 1 else ''} a look"
    if not asked:
        return "The only feed is paused" if feeds == 1 else f"All {feeds} feeds are paused"
    if asked == 1:
        return "The feed answers" if feeds == 1 else "One feed answers, the others are paused"
    return f"All {asked} feeds answer" + (f", {paused} more {'is' if paused == 1 else 'are'} paused" if paused else "")


def _sections(
    session: Session, desk: Desk, found: Sequence[tuple[Feed, Newsletter]]
) -> list[tuple[Newsletter, list[dict[str, Any]]]]:
    now = desk.site.now()
    news = offered_articles.new_by_feed(session, [feed.id for feed, _ in found], since=now - LATELY, now=now)
    rows = []
    for feed, newsletter in found:
        state = feed_facts.state(feed, newsletter, now=now)
        rows.append((newsletter, {**state, "health": health.of(state), "news": news[feed.id]}))
    return [(newsletter, [row for _, row in group]) for newsletter, group in groupby(rows, key=lambda pair: pair[0])]
