"""Decide which entries a publisher withdrew, and which only left its feed. Pure.

A feed loses entries for four reasons: new ones push the oldest off its end, old ones leave its window of time, its
ranking changes, or its publisher takes one out. Only the last one is a withdrawal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

FRESH = timedelta(hours=12)  # no feed's window of time is as short as this


@dataclass(frozen=True, kw_only=True)
class ListedArticle:
    """An article that a feed listed: its date, if the feed gave one, and when the article was first seen."""

    id: int
    date: datetime | None
    offered_at: datetime


def withdrawn(
    before: Sequence[ListedArticle], after: Sequence[tuple[int, datetime | None]], *, now: datetime
) -> set[int]:
    """Return the ids of the articles that were withdrawn between two complete documents of a feed.

    `after` has the articles of the newer document in its order, with their dates. New ones explain that as many of the
    oldest have left. Of the others, an article was withdrawn if an older one stays in a document that is in the order
    of dates, or if the feed has offered it for less than 12 hours. If more than half of several articles vanish at
    once, the document is more likely faulty, so none counts.
    """
    known, offered = {article.id for article in before}, {article_id for article_id, _ in after}
    missing = [article for article in before if article.id not in offered]
    if len(missing) > 1 and len(missing) * 2 > len(before):
        return set()
    arrived = len(offered - known)
    unexplained = sorted(missing, key=_age)[arrived:]
    staying = [date for article_id, date in after if article_id in known and date]
    oldest = min(staying) if staying and _are_in_order([date for _, date in after]) else None
    return {
        article.id
        for article in unexplained
        if (oldest and article.date and oldest < article.date) or article.offered_at > now - FRESH
    }


def _age(article: ListedArticle) -> tuple[datetime, int]:
    return article.date or article.offered_at, article.id


def _are_in_order(dates: Sequence[datetime | None]) -> bool:
    """Return whether all dates are known, and only rise or only fall."""
    known = [date for date in dates if date]
    if len(known) < len(dates):
        return False
    return all(one >= other for one, other in pairwise(known)) or all(one <= other for one, other in pairwise(known))
