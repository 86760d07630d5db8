"""The commands for digests."""

import json
import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from newsletter import clock
from newsletter.cli.app import app
from newsletter.content.articles.articles import Article
from newsletter.content.digests import digests, drafting
from newsletter.content.digests.digests import Digest
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from tests.content.builders import a_feed, a_newsletter, publish

DAY = timedelta(days=1)


@pytest.fixture
def newsletter(begin, database, monkeypatch, tmp_path):
    """Run the command on a database whose newsletter `morning` has a daily digest, 1, and three articles of today."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", database.url)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    with begin() as session:
        morning = a_newsletter(session)
        publish(session, a_feed(session, morning), "bus", "bridge", "orchard", now=clock.now())
        digests.add(session, morning, name="Daily", cron="0 7 * * *", articles=2, actor="tests", now=clock.now())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


def answer(result: Result):
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def test_a_digest_is_changed_paused_resumed_and_removed(newsletter):
    changed = ("--name", "Weekly", "--cron", "0 18 * * 5", "--zone", "UTC", "--articles", "5", "--automatic")
    row = answer(newsletter("digests", "change", "1", *changed, "--when-late", "at-once", "--archive", "--json"))
    assert {**row, "last_run_at": None} == {
        "digest": 1,
        "newsletter": "morning",
        "name": "Weekly",
        "cron": "0 18 * * 5",
        "zone": "UTC",
        "schedule": "Every Friday at 18:00 (UTC).",
        "articles": 5,
        "send": "automatic",
        "approve_within": 72,
        "late": "at-once",
        "archive": True,
        "active": True,
        "last_run_at": None,
    }
    assert newsletter("digests", "list").stdout == (
        "   1  morning              Weekly: “0 18 * * 5” in UTC, at most 5 articles, from the archive too, "
        "sent automatically, at once when late\n"
        "      Every Friday at 18:00 (UTC).\n"
    )
    newsletter("digests", "change", "1", "--approve", "--no-archive", "--approve-within", "24")
    assert "at most 5 articles, approved by an operator within 24 hours\n" in newsletter("digests", "list").stdout
    assert "resume 1" in newsletter("digests", "pause", "1").stdout
    assert "Weekly (paused)" in newsletter("digests", "list").stdout
    assert "Nothing is scheduled" in newsletter("digests", "upcoming").stdout
    assert answer(newsletter("digests", "resume", "1", "--json"))["active"] is True
    assert answer(newsletter("digests", "remove", "1", "--json")) == {"digest": 1, "removed": True}
    assert "No digests yet" in newsletter("digests", "list").stdout


def test_an_unknown_digest_is_refused(newsletter):
    for words in (("change", "9", "--articles", "3"), ("pause", "9"), ("resume", "9"), ("remove", "9"), ("run", "9")):
        assert isinstance(newsletter("digests", *words).exception, NotFound)
    assert isinstance(newsletter("digests", "run", "9", "--dry-run").exception, NotFound)
    assert isinstance(newsletter("digests", "upcoming", "--digest", "9").exception, NotFound)
    assert isinstance(newsletter("digests", "upcoming", "--newsletter", "none").exception, NotFound)
    assert isinstance(newsletter("digests", "change", "1", "--zone", "Berlin").exception, Malformed)
    assert isinstance(newsletter("digests", "change", "1").exception, Refused)


def test_upcoming_runs_are_those_of_one_digest_or_one_newsletter(newsletter, begin):
    with begin() as session:
        evening = a_newsletter(session, "evening")
        for name, of in (("Nightly", evening), ("Weekly", session.scalars(select(Newsletter)).first())):
            digests.add(session, of, name=name, cron="0 22 * * *", actor="tests", now=clock.now())
    names = lambda *words: {  # noqa: E731
        row["name"] for row in answer(newsletter("digests", "upcoming", *words, "--json"))
    }
    assert names() == {"Daily", "Nightly", "Weekly"}
    assert names("--digest", "2") == {"Nightly"}
    assert names("--newsletter", "morning") == {"Daily", "Weekly"}
    assert names("--newsletter", "morning", "--digest", "2") == set()


def test_a_run_that_waits_is_upcoming(newsletter, begin):
    missed = (clock.now() - timedelta(hours=3)).replace(second=0, microsecond=0)
    with begin() as session:
        digest = session.get_one(Digest, 1)
        digest.cron, digest.zone = f"{missed.minute} {missed.hour} * * {missed.isoweekday()}", "UTC"
        digest.rule, digest.starts_at = {**digest.rule, "send": "automatic"}, missed - DAY
    first, second = answer(newsletter("digests", "upcoming", "--count", "2", "--json"))
    assert (first["utc"], first["missed"]) == ((missed + DAY).isoformat(), missed.isoformat())
    assert (second["utc"], second["missed"]) == ((missed + 7 * DAY).isoformat(), None)
    assert f"Daily (makes up for {missed:%Y-%m-%d %H:%M})" in newsletter("digests", "upcoming").stdout


def test_a_dry_run_says_of_each_article_why_it_is_in_or_out(newsletter, begin):
    with begin() as session:
        now, feed = clock.now(), a_feed(session, session.scalars(select(Newsletter)).one(), "county")
        publish(session, feed, "history", published_at=now - 900 * DAY, now=now)
        publish(session, feed, "meeting", now=now)
        session.scalars(select(Article).where(Article.title == "About meeting")).one().published_at = now + 9 * DAY
    shown = answer(newsletter("digests", "run", "1", "--dry-run", "--json"))
    assert shown["title"] == "About bus, and 1 more"
    assert [each["title"] for each in shown["in"]] == ["About bus", "About bridge"]
    assert [(each["title"], each["verdict"]) for each in shown["out"]] == [
        ("About meeting", "future"),
        ("About orchard", "no-room"),
        ("About history", "archive"),
    ]
    assert shown["counts"] == {"chosen": 2, "future": 1, "no-room": 1, "archive": 1}
    lines = newsletter("digests", "run", "1", "--dry-run").stdout.splitlines()
    assert lines[0] == "The next issue would be: About bus, and 1 more"
    assert re.fullmatch(r"  in   \d{4}-\d\d-\d\d  About bus", lines[1])
    assert lines[-1].endswith("About history: more than 30 days old when it was first seen")
    assert answer(newsletter("issues", "status", "--json")) == [], "nothing was drafted"


def test_a_dry_run_names_fifty_articles_and_counts_the_others(newsletter, begin):
    with begin() as session:
        feed = a_feed(session, session.scalars(select(Newsletter)).one(), "county")
        publish(session, feed, *(f"news {number}" for number in range(60)), now=clock.now())
    shown = answer(newsletter("digests", "run", "1", "--dry-run", "--json"))
    assert (len(shown["in"]), len(shown["out"]), shown["counts"]["no-room"]) == (2, 50, 61)
    last = newsletter("digests", "run", "1", "--dry-run").stdout.splitlines()[-1]
    assert last == "  and 11 more out: the issue is full; it waits for the next one"


def test_a_digest_is_run_now(newsletter):
    assert answer(newsletter("digests", "run", "1", "--json")) == {
        "digest": 1,
        "issue": 1,
        "status": "drafted",
        "title": "About bus, and 1 more",
    }
    assert newsletter("digests", "run", "1").stdout == (
        "Issue 2 is drafted: About orchard\nApprove it: newsletter issues send 2\n"
    )
    refused = newsletter("digests", "run", "1")
    assert isinstance(refused.exception, Refused)
    dry = newsletter("digests", "run", "1", "--dry-run").stdout
    assert dry.startswith("There is nothing new for an issue.\n  out")
    assert "already in an issue of this digest" in dry


def test_a_draft_by_hand_takes_an_archive_when_asked(newsletter, begin):
    with begin() as session:
        evening = a_newsletter(session, "evening")
        publish(session, a_feed(session, evening), "a", "b", published_at=clock.now() - 900 * DAY, now=clock.now())
    refused = newsletter("issues", "draft", "evening").exception
    assert str(refused) == (
        "There is nothing new; 2 older articles wait in the archive: newsletter issues draft evening --archive"
    )
    assert answer(newsletter("issues", "draft", "evening", "--archive", "--json"))["title"] == "About a, and 1 more"


def test_a_draft_tells_until_when_it_waits_and_why_it_went(newsletter, begin):
    newsletter("digests", "run", "1")
    (row,) = answer(newsletter("issues", "status", "--json"))
    assert abs(datetime.fromisoformat(row["approve_until"]) - clock.now() - 3 * DAY) < timedelta(minutes=5)
    assert "waits for approval until" in newsletter("issues", "status").stdout
    assert "waits for approval until" in newsletter("issues", "preview", "1").stderr
    drafting.draft_due(begin, begin, now=clock.now() + 3 * DAY)
    reason = "nobody approved it within 72 hours; its articles are free for the next issue"
    row = answer(newsletter("issues", "status", "1", "--json"))
    assert (row["status"], row["reason"], row["approve_until"]) == ("cancelled", reason, None)
    assert newsletter("issues", "preview", "1").stderr == f"{reason}\n"
