"""Judge which articles an issue takes, and why it leaves the others out. Pure: the caller states the facts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.content.articles.articles import NEWS_AGE


class ArticleVerdict(StrEnum):
    """What becomes of an article in the next issue. Only `chosen` is in; scripts may rely on the values."""

    CHOSEN = "chosen"
    NO_ROOM = "no-room"  # the issue is full; the article waits for the next one
    IN_THIS_DIGEST = "in-this-digest"  # an issue of the same digest has it
    IN_ANOTHER_ISSUE = "in-another-issue"  # for a digest: one drafted by hand; for a draft by hand: any issue
    FUTURE = "future"  # its date has not come yet
    ARCHIVE = "archive"  # it was old when it was first seen
    BEFORE_DIGEST = "before-digest"  # it was old when the digest began
    WITHDRAWN = "withdrawn"  # its publisher took it out of the feed
    FEED_REMOVED = "feed-removed"  # an operator removed the feed

    @property
    def reason(self) -> str:
        """The verdict in words."""
        return REASONS[self]


REASONS = {
    ArticleVerdict.CHOSEN: "in the issue",
    ArticleVerdict.NO_ROOM: "the issue is full; it waits for the next one",
    ArticleVerdict.IN_THIS_DIGEST: "already in an issue of this digest",
    ArticleVerdict.IN_ANOTHER_ISSUE: "already in an issue drafted by hand",
    ArticleVerdict.FUTURE: "not published yet",
    ArticleVerdict.ARCHIVE: "more than 30 days old when it was first seen",
    ArticleVerdict.BEFORE_DIGEST: "more than 30 days old when the digest began",
    ArticleVerdict.WITHDRAWN: "withdrawn by its publisher",
    ArticleVerdict.FEED_REMOVED: "its feed was removed",
}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An article that could go into an issue, with what decides about it."""

    id: int
    title: str
    published_at: datetime
    first_seen_at: datetime
    in_this_digest: bool = False
    in_another_issue: bool = False
    is_withdrawn: bool = False
    is_feed_removed: bool = False


@dataclass(frozen=True)
class Judgement:
    """A candidate and what becomes of it."""

    candidate: Candidate
    verdict: ArticleVerdict

    @property
    def is_in(self) -> bool:
        """Whether the issue takes the article."""
        return self.verdict is ArticleVerdict.CHOSEN


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an issue takes: how many articles, whether archives are open to it, and since when its digest exists."""

    articles: int
    archive: bool = False
    digest_began_at: datetime | None = None  # None: the issue is drafted by hand

    @property
    def published_since(self) -> datetime | None:
        """The date from which articles are news for the digest; None if any date counts."""
        return self.digest_began_at - NEWS_AGE if self.digest_began_at and not self.archive else None


def judge(candidates: Iterable[Candidate], terms: Terms, *, now: datetime) -> Iterator[Judgement]:
    """Judge each candidate, newest first as they must come: eligible ones are chosen until the issue is full."""
    room = terms.articles
    for candidate in candidates:
        reason = _objection(candidate, terms, now)
        if reason is None:
            reason = ArticleVerdict.CHOSEN if room else ArticleVerdict.NO_ROOM
            room -= reason is ArticleVerdict.CHOSEN
        yield Judgement(candidate, reason)


def choose(candidates: Iterable[Candidate], terms: Terms, *, now: datetime) -> list[Candidate]:
    """Return the chosen candidates. Candidates after the last chosen one are not read."""
    chosen: list[Candidate] = []
    for judgement in judge(candidates, terms, now=now):
        if judgement.is_in:
            chosen.append(judgement.candidate)
        if len(chosen) == terms.articles:
            break
    return chosen


def _objection(candidate: Candidate, terms: Terms, now: datetime) -> ArticleVerdict | None:
    """Return why an issue with room would leave the candidate out; None if it would not."""
    since = terms.published_since
    objections = {
        ArticleVerdict.IN_THIS_DIGEST: candidate.in_this_digest,
        ArticleVerdict.IN_ANOTHER_ISSUE: candidate.in_another_issue,
        ArticleVerdict.WITHDRAWN: candidate.is_withdrawn,
        ArticleVerdict.FEED_REMOVED: candidate.is_feed_removed,
        ArticleVerdict.FUTURE: candidate.published_at > now,
        ArticleVerdict.ARCHIVE: not terms.archive and candidate.published_at < candidate.first_seen_at - NEWS_AGE,
        ArticleVerdict.BEFORE_DIGEST: since is not None and candidate.published_at < since,
    }
    return next((verdict for verdict, holds in objections.items() if holds), None)
