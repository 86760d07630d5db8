"""The commands for feeds and digests."""

import json
import re

import pytest
from typer.testing import CliRunner, Result

from newsletter.cli.app import app
from newsletter.errors import Malformed, NotFound
from newsletter.store.database import Database
from tests.content.builders import a_newsletter
from tests.local_http import LocalHttp

FEED = b"""<rss version='2.0'><channel><title>Town</title><item><title>The bus waits</title><link>/bus</link></item>
<item><title>A bridge opens</title><link>/bridge</link></item></channel></rss>"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty migrated database."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    return database


@pytest.fixture
def newsletter(begin, database, site: LocalHttp, monkeypatch, tmp_path):
    """Run the command on a database with one newsletter, `morning`."""
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", database.url)
    monkeypatch.setenv("NEWSLETTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NEWSLETTER_FEED_ALLOW", f"127.0.0.1:{site.port}")
    with begin() as session:
        a_newsletter(session)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


def answer(result: Result):
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


def test_feeds_are_added_fetched_and_listed(newsletter, site: LocalHttp):
    good, bad = site.put("/feed.xml", FEED), site.url("/missing.xml")
    for url in (good, bad):
        assert answer(newsletter("feeds", "add", url, "--newsletter", "morning", "--json"))["url"] == url
    assert "not fetched yet" in newsletter("feeds", "list").stdout
    refreshed = newsletter("feeds", "refresh", "--json")
    assert refreshed.exit_code == 1, "one of them could not be read"
    assert [(row["title"], row["articles"], row["new"], row["error"]) for row in answer(refreshed)] == [
        ("Town", 2, 2, None),
        ("", 0, 0, "The server answered 404 Not Found."),
    ]
    assert [row["new"] for row in answer(newsletter("feeds", "refresh", "--json"))] == [0, 0]
    assert [row["articles"] for row in answer(newsletter("feeds", "list", "--json"))] == [2, 0]
    assert "2 articles, 0 new" in newsletter("feeds", "refresh").stdout


def test_a_refresh_without_errors_exits_with_0(newsletter, site: LocalHttp):
    newsletter("feeds", "add", site.put("/feed.xml", FEED), "--newsletter", "morning")
    assert newsletter("feeds", "refresh").exit_code == 0


def test_digests_are_added_listed_and_scheduled(newsletter):
    added = answer(newsletter("digests", "add", "--newsletter", "morning", "--cron", "0 7 * * 1-5", "--json"))
    (row,) = answer(newsletter("digests", "list", "--json"))
    assert (row["cron"], row["zone"], row["articles"], row["send"]) == ("0 7 * * 1-5", "Europe/Berlin", 12, "approve")
    runs = answer(newsletter("digests", "upcoming", "--json", "--count", "300"))
    assert len(runs) == 300
    assert runs[0]["at"] == added["next"]
    assert {run["at"][10:] for run in runs} == {"T07:00:00+01:00", "T07:00:00+02:00"}
    line = newsletter("digests", "upcoming", "--count", "1").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\d 07:00 \+0[12]:00  Europe/Berlin +morning +Digest\n", line)


def test_invalid_arguments_are_refused(newsletter):
    assert isinstance(newsletter("feeds", "add", "nowhere", "--newsletter", "morning").exception, Malformed)
    assert isinstance(newsletter("feeds", "add", "https://e.example/", "--newsletter", "no").exception, NotFound)
    assert isinstance(newsletter("digests", "add", "--newsletter", "morning", "--cron", "7").exception, Malformed)


def test_empty_lists_are_reported_as_such(newsletter):
    assert "No feeds yet" in newsletter("feeds", "list").stdout
    assert "No digests yet" in newsletter("digests", "list").stdout
    assert "Nothing is scheduled" in newsletter("digests", "upcoming").stdout
    assert answer(newsletter("digests", "upcoming", "--json")) == []
