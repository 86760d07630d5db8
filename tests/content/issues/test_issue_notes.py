"""Issue notes: an editor learns what changed in the feeds after the draft."""

from datetime import timedelta

from newsletter.content.digests import drafting
from newsletter.content.issues import approvals, issue_notes, issues
from newsletter.content.issues.issue_notes import ArticleChange
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, an_entry, store

HOUR = timedelta(hours=1)


def test_notes_follow_an_issue_from_draft_to_approval(begin):
    def entries(*names: str, **changes):
        return [an_entry(name, published_at=NOON - hours * HOUR, **changes) for hours, name in enumerate(names)]

    def notes():
        return [(note.title, note.change, note.at) for note in issue_notes.of_issue(session, issue)]

    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        store(session, feed, *entries("bus", "bridge", "orchard"), now=NOON)
        issue = drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON)
        assert notes() == []

        bus = an_entry("bus", title="Bus lines", published_at=NOON)
        store(session, feed, an_entry("train"), bus, entries("", "bridge")[1], now=NOON + HOUR)
        assert notes() == [
            ("Bus lines", ArticleChange.EDITED, NOON + HOUR),
            ("About orchard", ArticleChange.LEFT, NOON + HOUR),
        ]

        approvals.approve(session, issue, actor="tests", now=NOON + HOUR)
        bus = an_entry("bus", title="All bus lines", published_at=NOON)
        store(session, feed, an_entry("train"), bus, now=NOON + 2 * HOUR)
        assert notes() == [
            ("Bus lines", ArticleChange.EDITED, NOON + HOUR),
            ("Bus lines", ArticleChange.DIFFERS, NOON + 2 * HOUR),
            ("About bridge", ArticleChange.WITHDRAWN, NOON + 2 * HOUR),
            ("About orchard", ArticleChange.LEFT, NOON + HOUR),
        ]


def test_an_article_that_left_the_draft_is_told(begin):
    bus, bridge = (an_entry(name, published_at=NOON - hours * HOUR) for hours, name in enumerate(("bus", "bridge")))
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        store(session, feed, bus, bridge, now=NOON)
        issue = drafting.draft(session, newsletter, articles=9, actor="tests", now=NOON)
        store(session, feed, bridge, now=NOON + HOUR)
        (note,) = issue_notes.of_issue(session, issue)
        assert (note.title, note.change, note.at) == ("About bus", ArticleChange.DROPPED, NOON + HOUR)
        assert [article.title for article in issues.edition(session, issue).articles] == ["About bridge"]
