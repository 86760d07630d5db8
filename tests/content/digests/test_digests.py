"""Digests: their rules, and the issues drafted for their runs."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.digests import candidates, digests, drafting
from newsletter.content.digests.digests import Digest, Rule
from newsletter.content.issues import issues, transitions
from newsletter.content.issues.issues import Issue, IssueArticle, IssueStatus
from newsletter.errors import Malformed, Refused
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
        transitions.cancel(session, session.scalars(select(Issue)).one(), actor="tests", now=NOON)
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


def test_a_weekly_digest_sums_up_what_a_daily_one_had(begin, daily):
    with begin() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        a_digest(session, newsletter, name="Weekly", cron="0 18 * * 0", articles=7, automatic=True)
    assert drafted(begin, SEVEN) == [(IssueStatus.DRAFTED, SEVEN, ["About bus", "About bridge"])]
    evening = SEVEN + timedelta(hours=11)
    assert drafted(begin, evening) == [(IssueStatus.APPROVED, evening, ["About bus", "About bridge", "About orchard"])]
    assert drafted(begin, SEVEN + DAY) == [(IssueStatus.DRAFTED, SEVEN + DAY, ["About orchard"])]
    assert drafted(begin, evening + 7 * DAY)[-1] == (IssueStatus.SKIPPED, evening + 7 * DAY, [])


def test_a_digest_leaves_out_what_an_issue_by_hand_has_and_that_what_a_digest_has(begin, daily):
    with begin() as session:
        newsletter = session.scalars(select(Newsletter)).one()
        drafting.draft(session, newsletter, articles=1, actor="tests", now=NOON)
    assert [titles for *_, titles in drafted(begin, SEVEN)] == [["About bridge", "About orchard"]]
    with begin() as session, pytest.raises(Refused, match="no new articles"):
        drafting.draft(session, session.scalars(select(Newsletter)).one(), articles=9, actor="tests", now=NOON)


def test_a_digest_takes_no_archive_and_nothing_of_the_future(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "history", published_at=NOON - 4000 * DAY)
        publish(session, feed, "news", "meeting")
        (meeting,) = session.scalars(select(Article).where(Article.title == "About meeting"))
        meeting.published_at = SEVEN + DAY
        a_digest(session, newsletter, approve_within=999)
    assert [titles for *_, titles in drafted(begin, SEVEN)] == [["About news"]]
    assert [titles for *_, titles in drafted(begin, SEVEN + DAY)] == [["About meeting"]], "its time has come"
    assert [status for status, *_ in drafted(begin, SEVEN + 2 * DAY)] == [IssueStatus.SKIPPED]
    with begin() as session:
        (digest,) = session.scalars(select(Digest))
        digest.rule = {**digest.rule, "archive": True}
    assert [titles for *_, titles in drafted(begin, SEVEN + 3 * DAY)] == [["About history"]], "it is asked to"


def test_older_candidates_than_asked_for_are_not_read(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        for name, age in (("history", 2 * DAY), ("news", DAY)):
            publish(session, a_feed(session, newsletter, name), name, published_at=NOON - age)
        read = candidates.read(session, newsletter.id, published_since=NOON - DAY)
        assert [candidate.title for candidate in read] == ["About news"]


def test_what_every_feed_has_withdrawn_or_lost_is_left_out(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed, other = a_feed(session, newsletter), a_feed(session, newsletter, "county")
        publish(session, feed, "error", "half", "gone", "news")
        publish(session, other, "unsubscribed", "shared")
        number = dict(session.execute(select(Article.title, Article.id)).all())
        for title, of, is_withdrawn in (
            ("About error", feed, True),
            ("About half", feed, True),
            ("About half", other, False),
            ("About shared", other, False),
            ("About shared", feed, False),
        ):
            stored = session.get(Appearance, (of.id, number[title])) or Appearance(
                feed_id=of.id, article_id=number[title], identity=title
            )
            stored.is_withdrawn = is_withdrawn
            session.add(stored)
        session.flush()
        other.removed_at = NOON
        a_digest(session, newsletter, articles=9)
    (issue,) = drafted(begin, SEVEN)
    assert issue[2] == ["About shared", "About half", "About gone", "About news"]


def test_an_automatic_digest_that_is_late_waits_for_its_hour(begin, daily):
    with begin() as session:
        digest = session.scalars(select(Digest)).one()
        digest.cron, digest.rule = "0 7 * * 0", {**digest.rule, "send": "automatic"}
    assert drafted(begin, SEVEN + timedelta(hours=19)) == []
    assert drafted(begin, SEVEN + DAY) == [(IssueStatus.APPROVED, SEVEN, ["About bus", "About bridge"])]
    assert drafted(begin, SEVEN + DAY) == []


def test_a_rule_of_the_release_before_has_the_defaults(begin, daily):
    with begin() as session:
        digest = session.scalars(select(Digest)).one()
        digest.rule = {"articles": 2, "send": "approve"}
        rule = Rule.read(digest.rule)
        assert (rule.approve_within, rule.late, rule.archive) == (72, "wait", False)
    assert drafted(begin, SEVEN) == [(IssueStatus.DRAFTED, SEVEN, ["About bus", "About bridge"])]


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
        assert [run.at.isoformat() for run in runs] == [
            "2026-03-15T06:00:00+00:00",
            "2026-03-22T06:00:00+00:00",
            "2026-03-29T05:00:00+00:00",
        ]
        later = a_digest(session, a_newsletter(session, "evening"), starts_at=NOON + 30 * DAY)
        assert digests.upcoming(later, now=NOON, count=1)[0].at > NOON + 30 * DAY


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
        ("approve_within", {"approve_within": 0}),
        ("approve_within", {"approve_within": 9999}),
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
