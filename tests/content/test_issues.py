from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.content import issues
from newsletter.content.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.editions import Image, headline
from newsletter.content.issues import ALLOWED_FROM, Issue, IssueStatus
from newsletter.content.pictures import Picture
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


def test_the_next_draft_takes_what_is_left_and_then_there_is_none(desk):
    session, newsletter = desk
    drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    second = drafting.draft(session, newsletter, articles=2, title="The rest", actor="tests", now=LATER)
    assert (headlines(session, second), second.title) == (["About orchard"], "The rest")
    with pytest.raises(Refused, match="have no new articles"):
        drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)


def test_another_newsletter_s_articles_are_its_own(desk):
    session, newsletter = desk
    evening = a_newsletter(session, "evening")
    publish(session, a_feed(session, evening), "owl")
    assert headlines(session, drafting.draft(session, evening, articles=9, actor="tests", now=NOON)) == ["About owl"]
    assert len(headlines(session, drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON))) == 3


def test_what_was_cancelled_comes_again(desk):
    session, newsletter = desk
    first = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    issues.cancel(session, first, actor="tests", now=NOON)
    assert first.status is IssueStatus.CANCELLED
    assert headlines(session, first) == ["About bus", "About bridge"], "it still says what it was"
    assert headlines(session, drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)) == [
        "About bus",
        "About bridge",
    ]


def test_an_issue_goes_from_drafted_to_sent(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    issues.approve(session, issue, actor="cli:ana", now=NOON)
    assert (issue.status, issue.number, issue.actor, issue.approved_at) == (IssueStatus.APPROVED, 1, "cli:ana", NOON)
    issues.begin_sending(session, issue, actor="tests", now=NOON)
    issues.pause(session, issue, actor="tests", now=NOON)
    issues.begin_sending(session, issue, actor="tests", now=NOON)
    issues.mark_sent(session, issue, actor="tests", now=LATER)
    assert (issue.status, issue.sent_at) == (IssueStatus.SENT, LATER)


STEPS = {
    IssueStatus.APPROVED: issues.approve,
    IssueStatus.SENDING: issues.begin_sending,
    IssueStatus.PAUSED: issues.pause,
    IssueStatus.SENT: issues.mark_sent,
    IssueStatus.CANCELLED: issues.cancel,
}


@pytest.mark.parametrize("here", IssueStatus)
def test_an_issue_goes_along_its_arrows_only(desk, here):
    session, newsletter = desk
    for there, step in STEPS.items():
        issue = Issue(newsletter_id=newsletter.id, title="T", status=here, run_at=NOON, window_to=NOON, drafted_at=NOON)
        session.add(issue)
        session.flush()
        if here in ALLOWED_FROM[there]:
            step(session, issue, actor="tests", now=NOON)
            assert issue.status is there
        else:
            with pytest.raises(Refused, match=f"is {here}, so its status cannot change to {there}"):
                step(session, issue, actor="tests", now=NOON)
            assert issue.status is here


def test_an_issue_does_not_leave_before_its_time(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=LATER)
    issues.approve(session, issue, actor="tests", now=NOON)
    with pytest.raises(Refused, match="cannot be sent earlier"):
        issues.begin_sending(session, issue, actor="tests", now=NOON)
    issues.begin_sending(session, issue, actor="tests", now=LATER)


def test_numbers_are_given_on_approval_and_count_on(desk):
    session, newsletter = desk
    drafts = [drafting.draft(session, newsletter, articles=1, actor="tests", now=NOON) for _ in range(3)]
    assert [issues.edition(session, draft).number for draft in drafts] == [1, 1, 1], "a draft shows the next number"
    issues.cancel(session, drafts[1], actor="tests", now=NOON)
    for draft in (drafts[2], drafts[0]):
        issues.approve(session, draft, actor="tests", now=NOON)
    assert [draft.number for draft in drafts] == [2, None, 1]


def test_an_edition_shows_articles_as_a_letter_needs_them(desk):
    session, newsletter = desk
    bus, bridge, _ = session.scalars(select(Article).order_by(Article.id.desc())).all()
    picture = Picture(sha256="a" * 64, type="image/jpeg", width=600, height=400, body=b"", found_at=NOON)
    session.add(picture)
    session.flush()
    bus.picture_sha256, bus.picture_alt, bus.author = picture.sha256, "A bus", "Ann Writer"
    bus.html = f"<p>{'word ' * 660}</p>"
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
    assert (first.source, first.author, first.minutes, first.excerpt) == ("Town", "Ann Writer", 3, "All about bus.")
    assert (second.picture, second.author, second.minutes) == (None, None, None)
    assert second.url == "https://press.example/", "an article without a page of its own leads to its publisher"


def test_the_hash_covers_what_readers_see_and_nothing_else(desk):
    session, newsletter = desk
    issue = drafting.draft(session, newsletter, articles=2, actor="tests", now=NOON)
    before = issues.content_hash(session, issue)
    issues.approve(session, issue, actor="tests", now=NOON)
    assert issue.approved_sha == before == issues.content_hash(session, issue)
    bus = session.scalars(select(Article).where(Article.title == "About bus")).one()
    for change in ({"title": "Another"}, {"summary": "Another"}, {"url": "https://e.example/"}, {"author": "Another"}):
        for name, value in change.items():
            setattr(bus, name, value)
        session.flush()
        after = issues.content_hash(session, issue)
        assert after != before
        before = after


@pytest.mark.parametrize(
    ("titles", "subject"),
    [
        ([], "Nothing new"),
        (["One"], "One"),
        (["One."], "One."),
        (["One.", "Two", "Three"], "One, and 2 more"),
        (["Word " * 30], "Word " * 17 + "Word…"),
        (["Word " * 30, "Two"], "Word " * 14 + "Word…, and 1 more"),
    ],
)
def test_the_subject_is_the_first_headline_and_how_many_more(titles, subject):
    assert headline([title.strip() for title in titles]) == subject
