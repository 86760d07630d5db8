"""Selection: which articles an issue takes, and why it leaves the others out."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.digests.selection import ArticleVerdict, Candidate, Terms, choose, judge
from tests.clock import NOON

DAY = timedelta(days=1)

ages = st.integers(0, 20).map(lambda hours: NOON - timedelta(hours=hours))
arrivals = st.lists(st.lists(ages, max_size=6), max_size=8)  # the dates of each run's new articles
limits = st.integers(1, 5)


def a_candidate(number: int = 1, published_at: datetime = NOON, **facts) -> Candidate:
    return Candidate(**{"id": number, "title": "", "published_at": published_at, "first_seen_at": NOON, **facts})


def newest_first(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda each: (each.published_at, each.id), reverse=True)


def history(arrivals, limit) -> tuple[list[Candidate], list[list[Candidate]]]:
    """Return all articles, and the articles that each run chose; a chosen article is marked for the next run."""
    every: list[Candidate] = []
    issues = []
    for dates in arrivals:
        every += [a_candidate(len(every) + number, date) for number, date in enumerate(dates)]
        issues.append(choose(newest_first(every), Terms(articles=limit), now=NOON))
        every = [replace(each, in_this_digest=each.in_this_digest or each in issues[-1]) for each in every]
    return every, issues


@given(arrivals, limits)
def test_every_article_is_chosen_exactly_once(arrivals, limit):
    every, issues = history([*arrivals, *[[]] * 60], limit)
    assert sorted(each.id for issue in issues for each in issue) == [each.id for each in every]


@given(arrivals, limits)
def test_an_issue_takes_all_waiting_articles_up_to_the_limit(arrivals, limit):
    waiting = 0
    for dates, issue in zip(arrivals, history(arrivals, limit)[1], strict=True):
        waiting += len(dates)
        assert len(issue) == min(limit, waiting)
        waiting -= len(issue)


@given(st.lists(ages, max_size=30), limits)
def test_the_newest_articles_are_chosen_and_the_others_have_no_room(dates, limit):
    offered = newest_first([a_candidate(number, date) for number, date in enumerate(dates)])
    verdicts = [each.verdict for each in judge(offered, Terms(articles=limit), now=NOON)]
    chosen = min(limit, len(dates))
    assert verdicts == [ArticleVerdict.CHOSEN] * chosen + [ArticleVerdict.NO_ROOM] * (len(dates) - chosen)
    assert choose(offered, Terms(articles=limit), now=NOON) == offered[:limit]


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, ArticleVerdict.CHOSEN),
        ({"in_this_digest": True}, ArticleVerdict.IN_THIS_DIGEST),
        ({"in_another_issue": True}, ArticleVerdict.IN_ANOTHER_ISSUE),
        ({"is_withdrawn": True}, ArticleVerdict.WITHDRAWN),
        ({"is_feed_removed": True}, ArticleVerdict.FEED_REMOVED),
        ({"published_at": NOON + timedelta(seconds=1)}, ArticleVerdict.FUTURE),
        ({"published_at": NOON - 31 * DAY}, ArticleVerdict.ARCHIVE),
        ({"published_at": NOON - 29 * DAY}, ArticleVerdict.CHOSEN),
        ({"published_at": NOON - 90 * DAY, "first_seen_at": NOON - 61 * DAY}, ArticleVerdict.CHOSEN),
    ],
)
def test_an_article_that_is_left_out_takes_no_room(facts, verdict):
    judged = judge([a_candidate(1, **facts), a_candidate(2)], Terms(articles=1), now=NOON)
    second = ArticleVerdict.NO_ROOM if verdict is ArticleVerdict.CHOSEN else ArticleVerdict.CHOSEN
    assert [each.verdict for each in judged] == [verdict, second]


def test_an_issue_takes_an_archive_if_its_terms_say_so():
    old = a_candidate(published_at=NOON - 4000 * DAY)
    assert choose([old], Terms(articles=1), now=NOON) == []
    assert choose([old], Terms(articles=1, archive=True, digest_began_at=NOON), now=NOON) == [old]


def test_a_digest_takes_no_article_that_was_old_when_it_began():
    read_for_long = a_candidate(published_at=NOON - 31 * DAY, first_seen_at=NOON - 31 * DAY)
    began_at = {NOON: ArticleVerdict.BEFORE_DIGEST, NOON - 2 * DAY: ArticleVerdict.CHOSEN, None: ArticleVerdict.CHOSEN}
    for began, verdict in began_at.items():
        (judgement,) = judge([read_for_long], Terms(articles=1, digest_began_at=began), now=NOON)
        assert judgement.verdict is verdict
