"""Decide which entries a publisher withdrew, and which only left its feed. Pure.

A feed loses entries for four reasons: new ones push the oldest off its end, old ones leave its window of time, its
ranking changes, or its publisher takes one out. Only the last one is a withdrawal.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

FRESH = timedelta(hours=12)  # no feed's window of time is as short as this

PINNED = timedelta(days=7)  # an entry that stays because a site pins it is older than its neighbors by more


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

    `after` has the articles of the newer document in its order, with their dates. If it is in the order of dates, an
    article was withdrawn if one that is a little older stays. New ones explain that as many others have left, also if
    an old one stays that a site pins. Of the rest, an article was withdrawn if any older one stays in the order of
    dates, or if the feed has offered it for less than 12 hours. If more than half of several articles vanish at once,
    the document is more likely faulty, so none counts.
    """
    known, offered = {article.id for article in before}, {article_id for article_id, _ in after}
    missing = [article for article in before if article.id not in offered]
    if len(missing) > 1 and len(missing) * 2 > len(before):
        return set()
    arrived = len(offered - known)
    by_age = sorted(missing, key=_age)
    explained = {article.id for article in by_age[:arrived]}
    dates = [date for _, date in after]
    are_ordered = _are_in_order(dates)
    staying = sorted(date for article_id, date in after if article_id in known and date and are_ordered)

    def is_withdrawn(article: ListedArticle) -> bool:
        place = bisect_left(staying, article.date) if article.date else 0
        if article.id in explained:
            return bool(article.date and place and staying[place - 1] > article.date - PINNED)
        return place > 0 or article.offered_at > now - FRESH

    return {article.id for article in missing if is_withdrawn(article)}


def _age(article: ListedArticle) -> tuple[datetime, int]:
    return article.date or article.offered_at, article.id


def _are_in_order(dates: Sequence[datetime | None]) -> bool:
    """Return whether all dates are known, and only rise or only fall."""
    known = [date for date in dates if date]
    if len(known) < len(dates):
        return False
    return all(one >= other for one, other in pairwise(known)) or all(one <= other for one, other in pairwise(known))
