"""Approvals: for what content and for which time, and how they are taken back before sending begins."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit_log, templating
from newsletter.content.articles.articles import Article
from newsletter.content.digests import digests, drafting, expiry
from newsletter.content.issues import approvals, editions, issue_texts, issues, transitions
from newsletter.content.issues.approvals import ContentChanged
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.errors import Malformed, Refused
from newsletter.mail.delivery import issue_pauses
from newsletter.mail.mailings import issue_letters
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

BY = {"actor": "operator:1", "now": NOON}
NUMBERS = count()
LATER = NOON + timedelta(hours=5)
OPTIONS = {"templates": templating.environment, "base_url": "https://letters.example"}


@pytest.fixture
def desk(begin):
    """A session, a newsletter and its draft of two articles."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus", "bridge")
        yield session, newsletter, drafting.draft(session, newsletter, articles=2, **BY)


def begun(session, now) -> bool:
    """Let the workers look for issues to send, in transactions inside the test's own; return whether one began."""

    @contextmanager
    def inside():
        with session.begin_nested():
            yield session

    return bool(issue_letters.send_approved(inside, **OPTIONS, now=now))


def test_only_the_content_that_was_shown_is_approved(desk):
    session, _, issue = desk
    shown = issues.content_hash(session, issue)
    article = session.scalars(select(Article).where(Article.title == "About bus")).one()
    article.summary = "The bus comes later."
    session.flush()
    with pytest.raises(ContentChanged, match="has changed since you looked at it"):
        approvals.approve(session, issue, sha=shown, **BY)
    assert issue.status is IssueStatus.DRAFTED
    approvals.approve(session, issue, sha=issues.content_hash(session, issue), **BY)
    assert issue.status is IssueStatus.APPROVED


@pytest.mark.parametrize("change", [{"brand": "#112233"}, {"other_languages": ["de"]}, {"logo_sha256": "a" * 64}])
def test_what_a_person_approved_is_not_sent_with_another_design_or_in_other_languages(desk, change):
    session, newsletter, issue = desk
    approvals.approve(session, issue, **BY)
    for name, value in change.items():
        setattr(newsletter, name, value)
    session.flush()
    assert not begun(session, NOON)
    session.refresh(issue)
    assert (issue.status, issue.number, issue.approved_sha) == (IssueStatus.DRAFTED, None, None)
    entry = audit_log.last(session, subject=f"issue:{issue.id}", verb="issue returned to draft")
    assert "have changed since the approval" in entry.fields["reason"]


def test_what_the_scheduler_approved_is_sent_as_it_is_by_then(desk):
    session, newsletter, issue = desk
    approvals.approve(session, issue, actor=audit_log.SCHEDULER, now=NOON)
    newsletter.brand = "#112233"
    session.flush()
    assert begun(session, NOON)
    session.refresh(issue)
    assert issue.approved_sha == issues.content_hash(session, issue)


def test_an_issue_approved_by_the_release_before_is_sent(desk):
    session, _, issue = desk
    approvals.approve(session, issue, **BY)
    issue.approved_sha = editions.former_content_hash(issues.edition(session, issue))
    session.flush()
    assert begun(session, NOON)


def test_an_issue_is_sent_at_the_time_for_which_it_is_approved(desk):
    session, _, issue = desk
    approvals.schedule(session, issue, due_at=LATER, **BY)
    assert (issue.status, issue.due_at, issue.run_at) == (IssueStatus.APPROVED, LATER, NOON)
    assert not begun(session, LATER - timedelta(seconds=1))
    approvals.schedule(session, issue, due_at=LATER + timedelta(hours=1), **BY)
    assert not begun(session, LATER)
    approvals.send_now(session, issue, actor="operator:1", now=LATER)
    assert begun(session, LATER)
    with pytest.raises(Refused, match="is sending"):
        approvals.send_now(session, issue, actor="operator:1", now=LATER)


def test_an_issue_that_was_approved_again_with_another_content_is_not_moved_by_who_saw_the_former(desk):
    session, _, issue = desk
    approvals.schedule(session, issue, due_at=LATER, **BY)
    shown = issues.content_hash(session, issue)
    issue_texts.change(session, issue, title="Another title", **BY)
    approvals.schedule(session, issue, due_at=LATER, **BY)
    for move in (approvals.send_now, partial(approvals.schedule, due_at=LATER + timedelta(hours=1))):
        with pytest.raises(ContentChanged):
            move(session, issue, sha=shown, **BY)
        assert (issue.status, issue.due_at) == (IssueStatus.APPROVED, LATER)
    approvals.send_now(session, issue, sha=issues.content_hash(session, issue), **BY)
    assert issue.due_at == NOON


@pytest.mark.parametrize("due_at", [NOON, NOON - timedelta(days=1), NOON + timedelta(days=400)])
def test_a_time_in_the_past_or_far_ahead_is_refused(desk, due_at):
    session, _, issue = desk
    with pytest.raises(Malformed, match="still to come"):
        approvals.schedule(session, issue, due_at=due_at, **BY)
    assert issue.status is IssueStatus.DRAFTED


def test_an_unscheduled_issue_is_a_draft_that_keeps_its_time(desk):
    session, _, issue = desk
    approvals.schedule(session, issue, due_at=LATER, **BY)
    approvals.unschedule(session, issue, **BY)
    assert (issue.status, issue.number, issue.due_at) == (IssueStatus.DRAFTED, None, LATER)
    assert not begun(session, LATER)
    with pytest.raises(Refused, match="is drafted"):
        approvals.unschedule(session, issue, **BY)
    approvals.approve(session, issue, **BY)
    assert (issue.number, issue.planned_at) == (1, LATER)


def test_a_changed_text_returns_an_approved_issue_to_draft(desk):
    session, _, issue = desk
    approvals.approve(session, issue, **BY)
    with pytest.raises(Refused, match="like that already"):
        issue_texts.change(session, issue, heading="", **BY)
    assert issue.status is IssueStatus.APPROVED
    issue_texts.change(session, issue, preheader=" All about\nbuses ", **BY)
    assert (issue.status, issue.preheader) == (IssueStatus.DRAFTED, "All about buses")


def test_a_draft_that_was_approved_for_later_can_be_approved_again_from_that_time_on(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus")
        digest = digests.add(session, newsletter, name="Weekly", cron="0 7 * * 1", approve_within=2, **BY)
        issue = drafting.draft_now(session, digest.id, **BY)
        usual = expiry.deadline(session, issue)
        approvals.schedule(session, issue, due_at=NOON + timedelta(days=9), **BY)
        issue_texts.change(session, issue, heading="Rain", **BY)
        assert expiry.deadline(session, issue) == NOON + timedelta(days=9, hours=2) > usual


def test_resuming_an_issue_that_could_not_be_laid_out_approves_what_repaired_it(desk):
    session, newsletter, issue = desk
    approvals.approve(session, issue, **BY)
    transitions.begin_sending(session, issue, **BY)
    transitions.pause(session, issue, **BY)
    newsletter.other_languages = ["de"]
    session.flush()
    issue_pauses.resume(session, issue, actor="operator:2", now=NOON)
    assert (issue.actor, begun(session, NOON)) == ("operator:2", True)


@dataclass
class Desk:
    """An issue, and what an approver has seen of it."""

    session: Session
    newsletter: Newsletter
    issue: Issue
    article: Article
    looked: str = ""
    approved: str | None = None
    changes: Iterator[int] = field(default_factory=count)

    def edit(self):
        issue_texts.change(self.session, self.issue, heading=f"Heading {next(self.changes)}", **BY)

    def article_edited(self):
        if self.article.id not in set(self.session.scalars(issues.frozen_article_ids())):
            self.article.summary = f"Summary {next(self.changes)}"

    def design(self):
        self.newsletter.brand = f"#0000{next(self.changes):02d}"

    def look(self):
        self.looked = issues.content_hash(self.session, self.issue)

    def approve(self):
        approvals.approve(self.session, self.issue, sha=self.looked, **BY)
        self.approved = self.looked

    def unschedule(self):
        approvals.unschedule(self.session, self.issue, **BY)

    def begin(self):
        if begun(self.session, NOON):
            assert issues.content_hash(self.session, self.issue) == self.approved == self.issue.approved_sha

    def pause(self):
        transitions.pause(self.session, self.issue, **BY)

    def cancel(self):
        transitions.cancel(self.session, self.issue, **BY)


STEPS = ("edit", "article_edited", "design", "look", "approve", "unschedule", "begin", "pause", "cancel")


@settings(max_examples=40)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=14))
def test_an_issue_is_never_sent_with_another_content_than_the_approved_one(sqlite_database, steps):
    """Whatever operators, feeds and workers do in whatever order, sending begins with what an approver saw."""
    with sqlite_database.writing() as session:
        newsletter = a_newsletter(session, f"n{next(NUMBERS)}")
        feed = a_feed(session, newsletter)
        publish(session, feed, "bus")
        issue = drafting.draft(session, newsletter, articles=1, **BY)
        desk = Desk(
            session, newsletter, issue, session.scalars(select(Article).where(Article.feed_id == feed.id)).one()
        )
        desk.look()
        for step in steps:
            with suppress(Refused):
                getattr(desk, step)()
            session.flush()
            session.refresh(issue)
        if issue.status is IssueStatus.APPROVED:
            transitions.cancel(session, issue, **BY)  # or the next example would send it
