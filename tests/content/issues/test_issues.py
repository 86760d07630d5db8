"""Issues: drafting by hand, changes of status, numbers, editions and their hash."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.content.articles.articles import Article
from newsletter.content.articles.picture_files import Picture
from newsletter.content.digests import drafting
from newsletter.content.issues import approvals, issues, transitions
from newsletter.content.issues.editions import Image
from newsletter.content.issues.issues import Issue, IssueStatus
from newsletter.content.issues.transitions import ALLOWED_FROM
from newsletter.errors import Refused
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def desk(begin):
    """A session with a newsletter that reads a feed with three articles, the bus the newest."""
    with begin() as session:
        newsletter = a_newsletter(session)
        publish(session, a_feed(session, newsletter), "bus", "bridge", "orchard")
        yield session, newsletter


def headlines(session, issue) -> list[str]:
    return [article.title for article in issues.edition(session, issue).articles]


def test_a_draft_takes_the_newest_articles(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    assert headlines(session, issue) == ["About bus", "About bridge"]
    assert (issue.title, issue.status, issue.number) == ("About bus, and 1 more", IssueStatus.DRAFTED, None)


def test_the_next_draft_takes_the_rest_and_a_third_is_refused(desk):
    session, newsletter = desk
    drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    second = drafting.draft(session, newsletter, articles=2, title="The rest", actor="tests", now=LATER)
    assert (headlines(session, second), second.title) == (["About orchard"], "The rest")
    with pytest.raises(Refused, match="have no new articles"):
        drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)


def test_a_draft_takes_only_its_own_newsletter_s_articles(desk):
    session, newsletter = desk
    evening = a_newsletter(session, "evening")
    publish(session, a_feed(session, evening), "owl")
    assert headlines(session, drafting.draft(session, evening, articles=9, actor="tests", now=NOON)) == ["About owl"]
    assert len(headlines(session, drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON))) == 3


def test_a_cancelled_issue_s_articles_can_be_drafted_again(desk):
    session, newsletter = desk
    first = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    transitions.cancel(session, first, actor="tests", now=NOON)
    assert first.status is IssueStatus.CANCELLED
    assert headlines(session, first) == ["About bus", "About bridge"], "the cancelled issue keeps its articles"
    assert headlines(session, drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)) == [
        "About bus",
        "About bridge",
    ]


def test_an_issue_goes_from_drafted_to_sent(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    approvals.approve(session, issue, actor="cli:ana", now=NOON)
    assert (issue.status, issue.number, issue.actor, issue.approved_at) == (IssueStatus.APPROVED, 1, "cli:ana", NOON)
    transitions.begin_sending(session, issue, actor="tests", now=NOON)
    transitions.pause(session, issue, actor="tests", now=NOON)
    transitions.begin_sending(session, issue, actor="tests", now=NOON)
    transitions.mark_sent(session, issue, actor="tests", now=LATER)
    assert (issue.status, issue.sent_at) == (IssueStatus.SENT, LATER)


CHANGES = {
    IssueStatus.APPROVED: approvals.approve,
    IssueStatus.SENDING: transitions.begin_sending,
    IssueStatus.PAUSED: transitions.pause,
    IssueStatus.SENT: transitions.mark_sent,
    IssueStatus.CANCELLED: transitions.cancel,
}


@pytest.mark.parametrize("current", IssueStatus)
def test_an_issue_makes_only_allowed_changes_of_status(desk, current):
    session, newsletter = desk
    for target, change in CHANGES.items():
        times = {"run_at": NOON, "window_to": NOON, "drafted_at": NOON}
        issue = Issue(newsletter_id=newsletter.id, title="T", status=current, **times)
        session.add(issue)
        session.flush()
        if current in ALLOWED_FROM[target]:
            change(session, issue, actor="tests", now=NOON)
            assert issue.status is target
        else:
            with pytest.raises(Refused, match=f"is {current}, so its status cannot change to {target}"):
                change(session, issue, actor="tests", now=NOON)
            assert issue.status is current


def test_an_issue_is_not_sent_before_its_time(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)
    approvals.approve(session, issue, actor="tests", now=NOON)
    with pytest.raises(Refused, match="cannot be sent earlier"):
        transitions.begin_sending(session, issue, actor="tests", now=NOON)
    transitions.begin_sending(session, issue, actor="tests", now=LATER)


def test_numbers_are_assigned_on_approval_without_a_gap(desk):
    session, newsletter = desk
    drafts = [drafting.draft(session, newsletter, articles=1, actor="tests", now=NOON) for _ in range(3)]
    assert [issues.edition(session, draft).number for draft in drafts] == [1, 1, 1], "a draft shows the next number"
    transitions.cancel(session, drafts[1], actor="tests", now=NOON)
    for draft in (drafts[2], drafts[0]):
        approvals.approve(session, draft, actor="tests", now=NOON)
    assert [draft.number for draft in drafts] == [2, None, 1]


def test_an_edition_contains_the_details_of_each_article(desk):
    session, newsletter = desk
    bus, bridge, _ = session.scalars(select(Article).order_by(Article.id.desc())).all()
    picture = Picture(sha256="a" * 64, type="image/jpeg", width=600, height=400, body=b"", found_at=NOON)
    session.add(picture)
    session.flush()
    bus.picture_sha256, bus.picture_alt, bus.author = picture.sha256, "A bus", "Ann Writer"
    bus.html = bridge.html = f"<p>{'word ' * 660}</p>"
    bus.has_whole_text, bridge.has_whole_text = True, False
    bus.summary = "Every bus is late. " + "It rains, and so on. " * 9
    bridge.url = None
    session.flush()
    shown = issues.edition(
        session,
        drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON),
        base_url="https://letters.example",
    )
    first, second = shown.articles
    assert first.picture == Image(
        url=f"https://letters.example/pictures/{'a' * 64}.jpg", width=600, height=400, alt="A bus"
    )
    assert first.thumbnail == first.picture, "the picture is small"
    assert (first.source, first.author, first.minutes) == ("Town", "Ann Writer", 3)
    assert first.excerpt == "Every bus is late. " + "It rains, and so on. " * 5 + "It rains, and so on.", (
        "whole sentences of at most 35 words"
    )
    assert (second.picture, second.author, second.excerpt) == (None, None, "All about bridge.")
    assert second.minutes is None, "who knows how long an article is of which the feed gives a part"
    assert second.url is None, "the front page of the feed's host is not the article's"


def test_the_content_hash_changes_with_everything_that_readers_see(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    before = issues.content_hash(session, issue)
    approvals.approve(session, issue, actor="tests", now=NOON)
    assert issue.approved_sha == before == issues.content_hash(session, issue)
    bus = session.scalars(select(Article).where(Article.title == "About bus")).one()
    for change in ({"title": "Another"}, {"summary": "Another"}, {"url": "https://e.example/"}, {"author": "Another"}):
        for name, value in change.items():
            setattr(bus, name, value)
        session.flush()
        after = issues.content_hash(session, issue)
        assert after != before
        before = after
