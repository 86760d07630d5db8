"""Expiry: drafts that nobody approves give their articles back, and say so."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from newsletter import audit_log
from newsletter.audit_log import AuditEntry
from newsletter.content.digests import digests, drafting, editing, expiry
from newsletter.content.digests.digests import Digest
from newsletter.content.feeds.feeds import Feed
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.doctor import examination
from newsletter.errors import Refused
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

SEVEN = datetime(2026, 3, 15, 6, tzinfo=UTC)  # 07:00 in Berlin, the morning after NOON
DAY = timedelta(days=1)
SECONDS = timedelta(seconds=20)  # until a worker drafts a run that is due


@pytest.fixture
def daily(begin):
    """A newsletter with three articles, and a daily digest at 07:00 whose issues wait for approval for a day."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus", "bridge", "orchard")
        facts = {"name": "Daily", "cron": "0 7 * * *", "articles": 2, "approve_within": 24}
        digests.add(session, newsletter, **facts, actor="tests", now=NOON)


def work(begin, now) -> list[tuple[IssueStatus, list[str]]]:
    """Do a worker's job for digests; return each issue's status and titles, the oldest first."""
    drafting.draft_due(begin, begin, now=now)
    with begin() as session:
        return [
            (issue.status, [article.title for article in issues.edition(session, issue).articles])
            for issue in session.scalars(select(Issue).order_by(Issue.id))
        ]


def test_the_next_issue_has_the_articles_of_a_draft_that_nobody_approved(begin, daily):
    assert work(begin, SEVEN + SECONDS) == [(IssueStatus.DRAFTED, ["About bus", "About bridge"])]
    with begin() as session:
        publish(session, session.scalars(select(Feed)).one(), "flood", now=SEVEN)
    assert work(begin, SEVEN + DAY) == [
        (IssueStatus.CANCELLED, ["About bus", "About bridge"]),
        (IssueStatus.DRAFTED, ["About flood", "About bus"]),
    ], "although the worker is faster than the day before, and the newest first"


def test_a_draft_that_was_made_late_has_its_whole_time(begin, daily):
    evening = SEVEN + timedelta(hours=13)
    work(begin, evening)
    assert [status for status, _ in work(begin, SEVEN + DAY)] == [IssueStatus.DRAFTED, IssueStatus.DRAFTED]
    assert [status for status, _ in work(begin, evening + DAY)] == [IssueStatus.CANCELLED, IssueStatus.DRAFTED]


def about_drafts(session, now):
    return [remark for remark in examination.collect_remarks(session, now=now) if remark.name == "expired-drafts"]


def test_an_expired_draft_says_so(begin, daily, caplog):
    work(begin, SEVEN)
    reason = "nobody approved it within 24 hours; its articles are free for the next issue"
    with begin() as session:
        issue = session.scalars(select(Issue)).one()
        assert (expiry.deadline(session, issue), transitions.cancellation_reason(session, issue)) == (SEVEN + DAY, None)
        assert about_drafts(session, SEVEN) == []
    work(begin, SEVEN + DAY)
    assert "nobody approved a draft in time" in caplog.text
    with begin() as session:
        issue = session.get_one(Issue, issue.id)
        assert (expiry.deadline(session, issue), transitions.cancellation_reason(session, issue)) == (None, reason)
        entry = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue expired")
        assert (entry.actor, entry.fields) == ("scheduler", {"reason": reason})
        with pytest.raises(Refused, match=f"is cancelled \\({reason}\\), so its status cannot change to approved"):
            approvals.approve(session, issue, actor="tests", now=SEVEN + DAY)
        (remark,) = about_drafts(session, SEVEN + 2 * DAY)
        assert remark.says == (
            "drafts that nobody approved in time, in the last week: 1; the last was cancelled at 2026-03-16 06:00 UTC"
        )
        assert about_drafts(session, SEVEN + 9 * DAY) == []


def test_approved_issues_and_drafts_by_hand_never_expire(begin, daily):
    work(begin, SEVEN)
    with begin() as session:
        approvals.approve(session, session.scalars(select(Issue)).one(), actor="tests", now=SEVEN)
        by_hand = drafting.draft(session, session.scalars(select(Newsletter)).one(), articles=1, actor="t", now=SEVEN)
        assert expiry.deadline(session, by_hand) is None
    assert work(begin, SEVEN + 99 * DAY)[:2] == [
        (IssueStatus.APPROVED, ["About bus", "About bridge"]),
        (IssueStatus.DRAFTED, ["About orchard"]),
    ]


def test_the_draft_of_a_paused_digest_expires_too(begin, daily):
    work(begin, SEVEN)
    with begin() as session:
        editing.pause(session, session.scalars(select(Digest.id)).one(), actor="tests", now=SEVEN)
    assert [status for status, _ in work(begin, SEVEN + DAY)] == [IssueStatus.CANCELLED]


def test_an_error_in_one_digest_does_not_keep_the_drafts_of_another(begin, daily, caplog):
    with begin() as session:
        other = a_newsletter(session, "evening")
        publish(session, a_feed(session, other), "owl")
        facts = {"name": "Nightly", "cron": "0 7 * * *", "approve_within": 24}
        digests.add(session, other, **facts, actor="tests", now=NOON)
    work(begin, SEVEN)
    with begin() as session:
        digest = session.scalars(select(Digest).where(Digest.name == "Daily")).one()
        digest.rule = {**digest.rule, "approve_within": "soon"}
    assert [status for status, _ in work(begin, SEVEN + DAY)][:2] == [IssueStatus.DRAFTED, IssueStatus.CANCELLED]
    assert "drafts of digest 1 cannot be expired" in caplog.text


def test_an_issue_is_either_approved_or_expired(begin, daily):
    work(begin, SEVEN)
    together, done = Barrier(2), []

    def approve() -> None:
        with begin() as session:
            issue = session.scalars(select(Issue)).one()
            together.wait()
            try:
                approvals.approve(session, issue, actor="tests", now=SEVEN + DAY)
            except Refused:
                return
            done.append("approved")

    def expire() -> None:
        together.wait()
        with begin() as session:
            done.extend("expired" for _ in expiry.expire(session, 1, now=SEVEN + DAY))

    workers = [Thread(target=approve), Thread(target=expire)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(done) == 1
    with begin() as session:
        verbs = session.scalars(select(AuditEntry.verb).where(AuditEntry.verb.like("issue %"))).all()
        assert verbs == ["issue drafted", f"issue {done[0]}"]
