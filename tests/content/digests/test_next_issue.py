"""What a digest's next issue would hold, as a page shows it: bounded, and like a run."""

from datetime import timedelta

from newsletter.content.digests import digests, drafting, next_issue
from newsletter.content.digests.selection import ArticleVerdict
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, publish

BY = {"actor": "tests", "now": NOON}


def titles(judgements) -> list[str]:
    return [each.candidate.title.removeprefix("About ") for each in judgements]


def test_a_bounded_preview_chooses_what_a_run_would_although_it_judges_few(begin):
    with begin() as session:
        newsletter = a_newsletter(session)
        feed = a_feed(session, newsletter)
        publish(session, feed, "oldest", now=NOON - timedelta(days=70))
        for name, hours in (("old", 5), ("used", 4), ("also-used", 3)):
            publish(session, feed, name, now=NOON - timedelta(hours=hours))
        started = NOON - timedelta(days=90)
        digest = digests.add(session, newsletter, name="D", cron="0 7 * * *", articles=2, starts_at=started, **BY)
        drafting.draft_now(session, digest.id, **BY)
        publish(session, feed, "new", now=NOON - timedelta(minutes=5))
        shown = next_issue.preview(session, digest.id, now=NOON, newest=2)
        assert titles(shown.chosen) == ["new", "old"]
        assert titles(shown.left_out) == ["also-used"]
        assert shown.counts.total() == 2
        assert titles(next_issue.preview(session, digest.id, now=NOON).chosen) == ["new", "old"]
        drafting.draft_now(session, digest.id, actor="tests", now=NOON + timedelta(minutes=1))
        assert next_issue.preview(session, digest.id, now=NOON, newest=9).chosen == []
        whole = next_issue.preview(session, digest.id, now=NOON)
        assert titles(whole.chosen) == ["oldest"], "left over for lack of room, beyond what a page looks at"
        assert whole.counts[ArticleVerdict.IN_THIS_DIGEST] == 4
