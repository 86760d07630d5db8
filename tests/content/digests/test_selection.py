"""Selection: which articles an issue takes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.digests.selection import Candidate, choose
from tests.clock import NOON

ages = st.integers(0, 20).map(lambda hours: NOON - timedelta(hours=hours))
arrivals = st.lists(st.lists(ages, max_size=6), max_size=8)  # the dates of each run's new articles
limits = st.integers(1, 5)


def history(arrivals, limit) -> tuple[list[Candidate], list[list[Candidate]]]:
    """Return all articles, and the articles that each run chose; a chosen article is not offered again."""
    offered: list[Candidate] = []
    every: list[Candidate] = []
    issues = []
    for dates in arrivals:
        new = [Candidate(len(every) + number, date, "") for number, date in enumerate(dates)]
        every += new
        chosen = choose([*offered, *new], limit=limit)
        offered = [candidate for candidate in [*offered, *new] if candidate not in chosen]
        issues.append(chosen)
    return every, issues


@given(arrivals, limits)
def test_every_article_is_chosen_exactly_once(arrivals, limit):
    every, issues = history([*arrivals, *[[]] * 60], limit)
    sent = [candidate for issue in issues for candidate in issue]
    assert sorted(sent, key=lambda each: each.id) == every


@given(arrivals, limits)
def test_an_issue_takes_all_waiting_articles_up_to_the_limit(arrivals, limit):
    waiting = 0
    for dates, issue in zip(arrivals, history(arrivals, limit)[1], strict=True):
        waiting += len(dates)
        assert len(issue) == min(limit, waiting)
        waiting -= len(issue)


@given(st.lists(ages, max_size=30), limits)
def test_the_newest_articles_are_chosen_newest_first(dates, limit):
    offered = [Candidate(number, date, "") for number, date in enumerate(dates)]
    chosen = choose(offered, limit=limit)
    left = [candidate for candidate in offered if candidate not in chosen]
    ages = [(each.published_at, each.id) for each in chosen]
    assert ages == sorted(ages, reverse=True)
    assert all((each.published_at, each.id) < ages[-1] for each in left)
