"""An address is looked at once before it becomes a feed's."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.allowed_hosts import AllowedHost
from newsletter.content import feed_looks
from newsletter.content.articles.articles import Article
from newsletter.content.downloading.downloader import DirectDownloader
from newsletter.content.feeds import feed_addresses, feeds
from newsletter.content.fetching.http import HttpFetcher
from newsletter.content.parsing.documents.decoding import FeedUnreadable
from tests.clock import NOON
from tests.content.builders import a_newsletter, downloads
from tests.local_http import LocalHttp

FEED = b"""<rss version='2.0'><channel><title>Town</title>
<item><title>Undated</title><link>/undated</link></item>
<item><title>Old</title><link>/old</link><pubDate>Fri, 13 Mar 2026 09:00:00 GMT</pubDate></item>
<item><title>Coming</title><link>/coming</link><pubDate>Mon, 16 Mar 2026 09:00:00 GMT</pubDate></item>
</channel></rss>"""


@pytest.fixture
def downloader(site: LocalHttp) -> DirectDownloader:
    return DirectDownloader(HttpFetcher(allow=[AllowedHost.parse(f"127.0.0.1:{site.port}")]))


def test_the_newest_entries_are_found_and_those_without_a_date_count_as_of_now():
    url = "https://press.example/feed.xml"
    look = feed_looks.look(downloads({url: FEED}), [url])
    assert [entry.title for entry in look.newest(2, now=NOON)] == ["Coming", "Undated"]


def test_the_address_is_the_one_that_the_feed_has_moved_to_for_good(site: LocalHttp, downloader):
    new = site.put("/new.xml", FEED)
    moved = site.put("/moved.xml", status=301, headers={"Location": "/new.xml"})
    elsewhere = site.put("/elsewhere.xml", status=302, headers={"Location": "/new.xml"})
    assert [feed_looks.look(downloader, [url]).url for url in (new, moved, elsewhere)] == [new, new, elsewhere]


def test_a_web_page_that_names_its_feed_says_which_address_to_use(site: LocalHttp, downloader):
    page = b"<html><head><title>Town</title><link rel=alternate type='application/rss+xml' href='/feed.xml'></head>"
    look = feed_looks.look(downloader, [site.put("/", page, headers={"Content-Type": "text/html"})])
    assert isinstance(look.failure, FeedUnreadable)
    assert site.url("/feed.xml") in str(look.failure)


def test_the_first_of_several_addresses_counts_if_none_can_be_read(site: LocalHttp, downloader):
    addresses = feed_addresses.candidates(site.url("/missing.xml").removeprefix("http://"))
    look = feed_looks.look(downloader, addresses)
    assert (look.asked, look.download) == (addresses[0], None)
    site.put("/missing.xml", FEED)
    assert feed_looks.look(downloader, addresses).asked == addresses[1]


def test_what_came_counts_as_the_feeds_first_refresh(begin):
    url = "https://press.example/feed.xml"
    look = feed_looks.look(downloads({url: FEED}, {url: '"v1"'}), [url])
    with begin() as session:
        feed = feeds.add(session, a_newsletter(session), look.url, actor="tests", now=NOON)
        feed_looks.record(session, feed, look, now=NOON)
        assert (feed.title, feed.etag, feed.checked_at) == ("Town", '"v1"', NOON)
        assert feed.next_try_at > NOON + timedelta(minutes=10)
        assert set(session.scalars(select(Article.title))) == {"Undated", "Old", "Coming"}
