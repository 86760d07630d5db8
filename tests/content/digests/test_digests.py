"""Digests: their rules, and the issues drafted for their runs."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from newsletter.content import issues
from newsletter.content.digests import digests, drafting
from newsletter.content.digests.digests import Digest
from newsletter.content.issues import Issue, IssueArticle, IssueStatus
from newsletter.errors import Malformed
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

SEVEN = datetime(2026, 3, 15, 6, tzinfo=UTC)  # 07:00 in Berlin, the morning after NOON
DAY = timedelta(days=1)


def a_digest(session, newsletter, **changes) -> Digest:
    facts = {"name": "Daily", "cron": "0 7 * * *", "articles": 2, "actor": "tests", "now": NOON}
    return digests.add(session, newsletter, **facts | changes)


@pytest.fixture
def daily(begin):
    """A newsletter with three articles and a daily digest at 07:00 that takes two."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus", "bridge", "orchard")
        a_digest(session, newsletter)


def drafted(begin, now) -> list[tuple[IssueStatus, datetime, list[str]]]:
    """Draft the due runs; return each issue's status, run and titles."""
    with begin() as session:
        made = [drafting.draft_run(session, digest, now=now) for digest in digests.active(session, now=now)]
        return [
            (issue.status, issue.run_at, [article.title for article in issues.edition(session, issue).articles])
            for issue in made
            if issue
        ]


def test_an_issue_is_drafted_once_when_its_run_is_due(begin, daily):
    assert drafted(begin, SEVEN - timedelta(seconds=1)) == []
    assert drafted(begin, SEVEN) == [(IssueStatus.DRAFTED, SEVEN, ["About bus", "About bridge"])]
    assert drafted(begin, SEVEN + timedelta(hours=5)) == []


def test_the_next_issue_has_the_rest_and_the_one_after_is_skipped(begin, daily):
    drafted(begin, SEVEN)
    assert drafted(begin, SEVEN + DAY) == [(IssueStatus.DRAFTED, SEVEN + DAY, ["About orchard"])]
    assert drafted(begin, SEVEN + 2 * DAY) == [(IssueStatus.SKIPPED, SEVEN + 2 * DAY, [])]
    assert drafted(begin, SEVEN + 2 * DAY) == []


def test_after_a_downtime_only_the_newest_run_is_drafted(begin, daily):
    assert drafted(begin, SEVEN + 10 * DAY + timedelta(hours=3)) == [
        (IssueStatus.DRAFTED, SEVEN + 10 * DAY, ["About bus", "About bridge"])
    ]
    with begin() as session:
        issue = session.scalars(select(Issue)).one()
        assert (issue.window_from, issue.window_to) == (NOON, SEVEN + 10 * DAY)


def test_cancelling_an_issue_frees_its_articles(begin, daily):
    drafted(begin, SEVEN)
    with begin() as session:
        issues.cancel(session, session.scalars(select(Issue)).one(), actor="tests", now=NOON)
    assert drafted(begin, SEVEN + DAY)[0][2] == ["About bus", "About bridge"]


def test_an_automatic_digest_is_approved_by_the_scheduler(begin, daily):
    with begin() as session:
        digest = session.scalars(select(Digest)).one()
        digest.rule = {**digest.rule, "send": "automatic"}
    assert [status for status, *_ in drafted(begin, SEVEN)] == [IssueStatus.APPROVED]
    with begin() as session:
        issue = session.scalars(select(Issue)).one()
        assert (issue.actor, issue.number, issue.approved_sha) == ("scheduler", 1, issues.content_hash(session, issue))
    drafted(begin, SEVEN + DAY)
    assert [status for status, *_ in drafted(begin, SEVEN + 2 * DAY)] == [IssueStatus.SKIPPED], (
        "there is nothing to approve"
    )


def test_an_unknown_key_in_a_rule_is_ignored_and_preserved(begin, daily):
    with begin() as session:
        digest = session.scalars(select(Digest)).one()
        newer = digest.rule = {**digest.rule, "topics": ["traffic"]}
    assert drafted(begin, SEVEN) == [(IssueStatus.DRAFTED, SEVEN, ["About bus", "About bridge"])]
    with begin() as session:
        assert session.scalars(select(Digest.rule)).one() == newer


def test_two_digests_of_a_newsletter_do_not_share_an_article(begin, daily):
    with begin() as session:
        newsletter = session.scalars(select(Digest)).one().newsletter_id
        a_digest(session, session.get_one(Newsletter, newsletter), name="Also daily")
    assert [titles for _, _, titles in drafted(begin, SEVEN)] == [["About bus", "About bridge"], ["About orchard"]]


def test_an_inactive_or_future_digest_drafts_nothing(begin, daily):
    with begin() as session:
        digest = session.scalars(select(Digest)).one()
        digest.active = False
        evening = a_newsletter(session, "evening")
        publish(session, a_feed(session, evening), "owl")
        a_digest(session, evening, starts_at=SEVEN + DAY)
    assert drafted(begin, SEVEN + DAY) == []
    assert [titles for _, _, titles in drafted(begin, SEVEN + 2 * DAY)] == [["About owl"]]


def test_two_workers_draft_one_issue(begin, daily):
    together, made = Barrier(2), []

    def work() -> None:
        together.wait()
        made.extend(drafted(begin, SEVEN))

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(made) == 1
    with begin() as session:
        assert len(session.scalars(select(IssueArticle)).all()) == 2


def test_upcoming_runs_follow_the_local_time_of_the_zone(begin):
    with begin() as session:
        digest = a_digest(session, a_newsletter(session), cron="0 7 * * 0")
        runs = digests.upcoming(digest, now=NOON, count=3)
        assert [run.isoformat() for run in runs] == [
            "2026-03-15T06:00:00+00:00",
            "2026-03-22T06:00:00+00:00",
            "2026-03-29T05:00:00+00:00",
        ]
        later = a_digest(session, a_newsletter(session, "evening"), starts_at=NOON + 30 * DAY)
        assert digests.upcoming(later, now=NOON, count=1)[0] > NOON + 30 * DAY


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "x" * 81}),
        ("cron", {"cron": "0 7 * *"}),
        ("zone", {"zone": "Berlin"}),
        ("articles", {"articles": 0}),
        ("articles", {"articles": 101}),
    ],
)
def test_a_malformed_digest_is_refused_with_the_field(begin, field, changes):
    with begin() as session, pytest.raises(Malformed) as caught:
        a_digest(session, a_newsletter(session), **changes)
    assert caught.value.field == field


def test_a_digest_s_name_is_unique_within_its_newsletter(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        a_digest(session, newsletter)
        a_digest(session, a_newsletter(session, "evening"))
        with pytest.raises(Malformed, match="already"):
            a_digest(session, newsletter)
        assert [(digest.name, of.slug) for digest, of in digests.every(session)] == [
            ("Daily", "evening"),
            ("Daily", "morning"),
        ]
