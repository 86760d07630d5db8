"""The commands for feeds."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from newsletter import clock
from newsletter.content.articles import offered_articles
from newsletter.content.articles.appearances import Appearance
from newsletter.content.articles.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.feeds import feeds
from newsletter.content.feeds.feeds import Feed
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from newsletter.store.database import Database
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, answer, publish
from tests.local_http import LocalHttp

FEED = b"""<rss version='2.0'><channel><title>Town</title>
<item><title>The bus waits</title><link>/bus</link><pubDate>Sat, 14 Mar 2026 09:00:00 GMT</pubDate></item>
<item><title>A bridge opens</title><link>/bridge</link><pubDate>Sat, 14 Mar 2026 08:00:00 GMT</pubDate></item>
</channel></rss>"""


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """On SQLite only: each command that asks a server starts a process for it, and the changes are tested on both."""
    return sqlite_database


@pytest.fixture
def town(newsletter, begin, site: LocalHttp) -> str:
    """The id of a feed with two articles that was never asked."""
    with begin() as session:
        morning = session.scalars(select(Newsletter)).one()
        feed = feeds.add(session, morning, site.put("/feed.xml", FEED), actor="tests", now=clock.now())
        feed.title, feed.checked_at = "Town", clock.now()
        publish(session, feed, "bus", "bridge", now=clock.now())
        return str(feed.id)


def rows_of(newsletter, *command: str) -> list[dict]:
    return answer(newsletter("feeds", *command, "--json"))


def test_a_feed_is_looked_at_once_and_what_came_is_stored_and_shown(newsletter, site: LocalHttp):
    """Also if its address is written without a scheme: the server speaks no TLS."""
    url = site.put("/feed.xml", FEED)
    added = newsletter("feeds", "add", url.removeprefix("http://"), "--newsletter", "morning")
    assert added.stdout.splitlines() == [
        "Feed 1 is added to “The Morning Letter”.",
        f"  {url}",
        "  Town",
        "  2 entries, none with a picture; the newest, in UTC:",
        "    2026-03-14 09:00  The bus waits",
        "    2026-03-14 08:00  A bridge opens",
    ]
    assert len(site.requests) == 1
    (row,) = rows_of(newsletter, "list")
    assert (row["url"], row["title"], row["articles"], row["error"]) == (url, "Town", 2, None)


def test_an_address_that_cannot_be_read_is_taken_only_with_anyway(newsletter, site: LocalHttp):
    missing = ("add", site.url("/missing.xml"), "--newsletter", "morning")
    refused = newsletter("feeds", *missing)
    assert isinstance(refused.exception, Refused)
    assert "404 Not Found" in str(refused.exception)
    assert "--anyway" in str(refused.exception)
    assert rows_of(newsletter, "list") == []
    assert "404 Not Found" in rows_of(newsletter, *missing, "--anyway")["error"]
    (row,) = rows_of(newsletter, "list")
    assert (row["url"], row["failures"], row["articles"]) == (site.url("/missing.xml"), 1, 0)
    assert "404 Not Found" in row["error"]


def test_a_second_feed_with_the_same_address_is_refused_before_it_is_asked(newsletter, site: LocalHttp, town):
    again = newsletter("feeds", "add", site.url("/feed.xml/"), "--newsletter", "morning", "--anyway")
    assert isinstance(again.exception, Malformed)
    assert f"feed {town}" in str(again.exception)
    assert site.requests == []


def test_feeds_are_refreshed_all_or_by_their_ids(newsletter, begin, site: LocalHttp, town):
    with begin() as session:
        morning = session.scalars(select(Newsletter)).one()
        feeds.add(session, morning, site.url("/missing.xml"), actor="tests", now=clock.now())
    assert "not fetched yet" in newsletter("feeds", "list").stdout
    refreshed = newsletter("feeds", "refresh", "--json")
    assert refreshed.exit_code == 1, "one of them could not be read"
    assert [(row["title"], row["articles"], row["new"], bool(row["error"])) for row in answer(refreshed)] == [
        ("Town", 4, 2, False),
        ("", 0, 0, True),
    ]
    site.requests.clear()
    named = newsletter("feeds", "refresh", town)
    assert named.exit_code == 0
    assert "4 articles, 0 new" in named.stdout
    assert [path for path, _ in site.requests] == ["/feed.xml"]


def test_the_list_tells_what_is_paused_failing_or_late(newsletter, begin, town):
    assert "2 articles; late: due since 2" not in newsletter("feeds", "list").stdout
    with begin() as session:
        session.execute(update(Feed).values(next_try_at=clock.now() - timedelta(hours=2)))
    assert "2 articles; late: due since 2" in newsletter("feeds", "list").stdout
    newsletter("feeds", "pause", town)
    assert "paused since 2" in newsletter("feeds", "list").stdout
    (row,) = rows_of(newsletter, "list")
    assert row["paused_at"]
    assert (row["next_try_at"], row["late_since"]) == (None, None)
    newsletter("feeds", "resume", town)
    with begin() as session:
        session.execute(update(Feed).values(error="The server answered 503.", failures=2))
    lines = newsletter("feeds", "list").stdout.splitlines()
    assert lines[2] == "      The server answered 503."
    assert lines[3].endswith("after 2 failures in a row")


def test_a_feed_is_shown_with_its_newest_articles(newsletter, begin, town):
    newsletter("feeds", "change", town, "--title", "The Gazette")
    with begin() as session:
        session.execute(update(Article).where(Article.title == "About bus").values(edited_at=clock.now()))
    shown = rows_of(newsletter, "show", town)
    assert (shown["title"], shown["own_title"], shown["feed_title"]) == ("The Gazette", "The Gazette", "Town")
    assert {row["title"]: row["remarks"] for row in shown["newest"]} == {"About bus": ["edited"], "About bridge": []}
    text = newsletter("feeds", "show", town).stdout
    assert "The Gazette (yours; the feed says: Town)" in text
    assert "About bus  (edited)" in text


def test_the_remarks_about_an_article_tell_why_it_may_be_in_no_issue(begin):
    with begin() as session:
        feed = a_feed(session, a_newsletter(session))
        for name, days in (("plain", 0), ("archive", 31), ("future", -3)):
            publish(session, feed, name, now=NOON)
            article = session.scalars(select(Article).where(Article.title == f"About {name}")).one()
            article.published_at = NOON - timedelta(days=days)
        publish(session, feed, "withdrawn", now=NOON - timedelta(minutes=1))
        withdrawn = session.scalars(select(Article).where(Article.title == "About withdrawn")).one()
        session.merge(Appearance(feed_id=feed.id, article_id=withdrawn.id, identity="w", is_withdrawn=True))
        session.flush()
        listed = offered_articles.newest(session, feed, limit=9, now=NOON)
        assert [(offered.article.title, offered.remarks) for offered in listed] == [
            ("About future", ("future",)),
            ("About plain", ()),
            ("About withdrawn", ("withdrawn",)),
            ("About archive", ("archive",)),
        ]


def test_a_feed_is_renamed_and_moved(newsletter, begin, town):
    with begin() as session:
        a_newsletter(session, "evening")
    changed = rows_of(newsletter, "change", town, "--title", "Gazette", "--newsletter", "evening")
    assert (changed["title"], changed["newsletter"]) == ("Gazette", "evening")
    assert rows_of(newsletter, "change", town, "--no-title")["title"] == "Town"
    assert newsletter("feeds", "change", town).exit_code == 2
    assert newsletter("feeds", "change", town, "--title", "T", "--no-title").exit_code == 2


def test_a_new_address_is_looked_at_before_it_is_taken(newsletter, site: LocalHttp, town):
    refused = newsletter("feeds", "change", town, "--url", site.url("/gone.xml"))
    assert isinstance(refused.exception, Refused)
    assert [row["url"] for row in rows_of(newsletter, "list")] == [site.url("/feed.xml")]
    changed = rows_of(newsletter, "change", town, "--url", site.put("/new.xml", FEED))
    assert (changed["url"], changed["articles"], changed["look"]["entries"]) == (site.url("/new.xml"), 4, 2)
    assert [row["url"] for row in rows_of(newsletter, "list")] == [site.url("/new.xml")]


def test_a_feed_is_removed_and_says_what_stays(newsletter, begin, town):
    with begin() as session:
        morning = session.scalars(select(Newsletter)).one()
        draft = drafting.draft(session, morning, articles=1, actor="tests", now=clock.now()).id
    removed = newsletter("feeds", "remove", town).stdout
    assert "1 deleted; 1 kept, because issues hold them" in removed
    assert f"Drafts with articles of it: {draft}" in removed
    assert "No feeds yet" in newsletter("feeds", "list").stdout
    for command in ("show", "pause", "resume", "remove"):
        assert isinstance(newsletter("feeds", command, town).exception, NotFound)


def test_invalid_arguments_are_refused(newsletter):
    assert isinstance(newsletter("feeds", "add", "nowhere", "--newsletter", "morning").exception, Malformed)
    assert isinstance(newsletter("feeds", "add", "https://e.example/", "--newsletter", "no").exception, NotFound)
    assert isinstance(newsletter("feeds", "show", "7").exception, NotFound)
    assert "No feeds yet" in newsletter("feeds", "list").stdout
