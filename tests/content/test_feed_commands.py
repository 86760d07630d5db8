"""The commands for feeds."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from newsletter import clock
from newsletter.content import feed_history
from newsletter.content.appearances import Appearance
from newsletter.content.articles import Article
from newsletter.content.digests import drafting
from newsletter.content.feeds import Feed
from newsletter.content.issues import Issue
from newsletter.errors import Malformed, NotFound, Refused
from newsletter.newsletters import Newsletter
from tests.clock import NOON
from tests.content.builders import a_feed, a_newsletter, answer, publish
from tests.local_http import LocalHttp

FEED = b"""<rss version='2.0'><channel><title>Town</title>
<item><title>The bus waits</title><link>/bus</link><pubDate>Sat, 14 Mar 2026 09:00:00 GMT</pubDate></item>
<item><title>A bridge opens</title><link>/bridge</link><pubDate>Sat, 14 Mar 2026 08:00:00 GMT</pubDate></item>
</channel></rss>"""
EMPTY = b"<rss version='2.0'><channel><title>Quiet</title></channel></rss>"


@pytest.fixture
def town(newsletter, site: LocalHttp) -> str:
    """The id of a feed with two articles."""
    return str(
        answer(newsletter("feeds", "add", site.put("/feed.xml", FEED), "--newsletter", "morning", "--json"))["feed"]
    )


def test_a_feed_is_looked_at_once_and_what_came_is_stored_and_shown(newsletter, site: LocalHttp):
    url = site.put("/feed.xml", FEED)
    added = answer(newsletter("feeds", "add", url, "--newsletter", "morning", "--json"))
    assert (added["url"], added["title"], added["entries"], added["with_pictures"]) == (url, "Town", 2, 0)
    assert [(row["title"], row["published_at"][:16]) for row in added["newest"]] == [
        ("The bus waits", "2026-03-14T09:00"),
        ("A bridge opens", "2026-03-14T08:00"),
    ]
    assert len(site.requests) == 1
    (row,) = answer(newsletter("feeds", "list", "--json"))
    assert (row["title"], row["articles"], row["error"]) == ("Town", 2, None)
    text = newsletter("feeds", "add", site.put("/quiet.xml", EMPTY), "--newsletter", "morning").stdout
    assert text == "Feed 2 is added to “The Morning Letter”.\n  Quiet\n  It has no entries yet.\n"


def test_an_address_that_cannot_be_read_is_taken_only_with_anyway(newsletter, site: LocalHttp):
    missing = ("feeds", "add", site.url("/missing.xml"), "--newsletter", "morning")
    refused = newsletter(*missing)
    assert isinstance(refused.exception, Refused)
    assert "404 Not Found" in str(refused.exception)
    assert "--anyway" in str(refused.exception)
    assert answer(newsletter("feeds", "list", "--json")) == []
    assert "404 Not Found" in answer(newsletter(*missing, "--anyway", "--json"))["error"]
    (row,) = answer(newsletter("feeds", "list", "--json"))
    assert (row["url"], row["failures"], row["articles"]) == (site.url("/missing.xml"), 1, 0)
    assert "404 Not Found" in row["error"]


def test_an_address_without_a_scheme_is_tried_with_https_and_then_with_http(newsletter, site: LocalHttp):
    url = site.put("/feed.xml", FEED)
    for written in (url.removeprefix("http://"), url.replace("http://", "feed://")):
        added = answer(newsletter("feeds", "add", written, "--newsletter", "morning", "--json"))
        assert added["url"] == url
        newsletter("feeds", "remove", str(added["feed"]))


def test_a_second_feed_with_the_same_address_is_refused_before_it_is_asked(newsletter, site: LocalHttp, town):
    again = newsletter("feeds", "add", site.url("/feed.xml/", host="127.0.0.1"), "--newsletter", "morning", "--anyway")
    assert isinstance(again.exception, Malformed)
    assert f"feed {town}" in str(again.exception)
    assert len(site.requests) == 1


def test_feeds_are_refreshed_all_or_by_their_ids(newsletter, site: LocalHttp, town):
    answer(newsletter("feeds", "add", site.url("/missing.xml"), "--newsletter", "morning", "--anyway", "--json"))
    refreshed = newsletter("feeds", "refresh", "--json")
    assert refreshed.exit_code == 1, "one of them could not be read"
    assert [(row["title"], row["articles"], row["new"], bool(row["error"])) for row in answer(refreshed)] == [
        ("Town", 2, 0, False),
        ("", 0, 0, True),
    ]
    site.requests.clear()
    named = newsletter("feeds", "refresh", town, "--json")
    assert named.exit_code == 0
    assert [row["feed"] for row in answer(named)] == [int(town)]
    assert [path for path, _ in site.requests] == ["/feed.xml"]
    assert "2 articles, 0 new" in newsletter("feeds", "refresh").stdout


def test_the_list_tells_what_is_paused_failing_or_late(newsletter, begin, site: LocalHttp, town):
    assert "2 articles; next try 2" in newsletter("feeds", "list").stdout
    with begin() as session:
        session.execute(update(Feed).values(next_try_at=clock.now() - timedelta(hours=2)))
    assert "2 articles; late: due since 2" in newsletter("feeds", "list").stdout
    newsletter("feeds", "pause", town)
    assert "paused since 2" in newsletter("feeds", "list").stdout
    (row,) = answer(newsletter("feeds", "list", "--json"))
    assert row["paused_at"]
    assert (row["next_try_at"], row["late_since"]) == (None, None)
    newsletter("feeds", "resume", town)
    site.put("/feed.xml", status=503)
    newsletter("feeds", "refresh")
    newsletter("feeds", "refresh")
    text = newsletter("feeds", "list").stdout
    assert "503 Service Unavailable." in text
    assert text.endswith("after 2 failures in a row\n")


def test_a_feed_is_shown_with_its_newest_articles(newsletter, site: LocalHttp, town):
    site.put("/feed.xml", FEED.replace(b"A bridge opens", b"A bridge opens at last"))
    newsletter("feeds", "refresh", town)
    newsletter("feeds", "change", town, "--title", "The Gazette")
    shown = answer(newsletter("feeds", "show", town, "--json"))
    assert (shown["title"], shown["own_title"], shown["feed_title"]) == ("The Gazette", "The Gazette", "Town")
    assert [(row["title"], "edited" in row["remarks"]) for row in shown["newest"]] == [
        ("The bus waits", False),
        ("A bridge opens at last", True),
    ]
    text = newsletter("feeds", "show", town).stdout
    assert "The Gazette (yours; the feed says: Town)" in text
    assert "2026-03-14 08:00  A bridge opens at last  (edited" in text


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
        listed = feed_history.newest(session, feed, limit=9, now=NOON)
        assert [(offered.article.title, offered.remarks) for offered in listed] == [
            ("About future", ("future",)),
            ("About plain", ()),
            ("About withdrawn", ("withdrawn",)),
            ("About archive", ("archive",)),
        ]


def test_a_feed_is_renamed_and_moved(newsletter, begin, town):
    with begin() as session:
        a_newsletter(session, "evening")
    changed = answer(newsletter("feeds", "change", town, "--title", "Gazette", "--newsletter", "evening", "--json"))
    assert (changed["title"], changed["newsletter"]) == ("Gazette", "evening")
    assert answer(newsletter("feeds", "change", town, "--no-title", "--json"))["title"] == "Town"
    assert newsletter("feeds", "change", town).exit_code == 2
    assert newsletter("feeds", "change", town, "--title", "T", "--no-title").exit_code == 2


def test_a_new_address_is_looked_at_before_it_is_taken(newsletter, site: LocalHttp, town):
    refused = newsletter("feeds", "change", town, "--url", site.url("/gone.xml"))
    assert isinstance(refused.exception, Refused)
    (row,) = answer(newsletter("feeds", "list", "--json"))
    assert row["url"] == site.url("/feed.xml")
    changed = answer(newsletter("feeds", "change", town, "--url", site.put("/new.xml", FEED), "--json"))
    assert (changed["url"], changed["articles"], changed["look"]["entries"]) == (site.url("/new.xml"), 2, 2)
    answer(newsletter("feeds", "change", town, "--url", site.url("/gone.xml"), "--anyway", "--json"))
    (row,) = answer(newsletter("feeds", "list", "--json"))
    assert row["url"] == site.url("/gone.xml")
    assert "404" in row["error"]


def test_a_feed_is_removed_and_says_what_stays(newsletter, begin, town):
    with begin() as session:
        morning = session.scalars(select(Newsletter)).one()
        drafting.draft(session, morning, articles=1, actor="tests", now=clock.now())
        draft = session.scalars(select(Issue.id)).one()
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


def test_an_empty_list_is_reported_as_such(newsletter):
    assert "No feeds yet" in newsletter("feeds", "list").stdout
